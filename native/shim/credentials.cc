#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/result.h"
#include "shim/rights.h"
#include "shim/steps.h"

namespace stack::shim {

// Before any user namespace or filter is in the way: the caller's supplementary groups are none of the container's.
void drop_groups(Process& process) {
  if (syscall(SYS_setgroups, 0, nullptr) == 0 || getgroups(0, nullptr) == 0) return;
  process.keeps_groups = true;
  errno = EPERM;
  warn(process, "setgroups", "the caller may not drop its groups");
}

bool set_user(Process& process, Reader& body) {
  uint32_t uid = body.u32();
  uint32_t gid = body.u32();
  uint32_t mask = body.u32();
  auto groups = body.numbers();
  if (body.bad()) return errno = EPROTO, failed(process, "user");
  // So that the process may reopen /dev/stdout under its own user. In a user namespace the streams are somebody else's.
  for (int fd = 0; fd < 3; fd++) {
    struct stat info{};
    if (fstat(fd, &info) == 0 && info.st_uid != uid && (S_ISFIFO(info.st_mode) || isatty(fd))) {
      if (fchown(fd, uid, isatty(fd) ? info.st_gid : gid) != 0 && errno != EPERM) warn(process, "chown", "stdio");
    }
  }
  umask(mask);
  // A user namespace may forbid it for good. There is nothing to give up then: drop_groups() came before it, and has told
  // where even the caller may not.
  bool has_groups = syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
  bool needs_none = groups.empty() && errno == EPERM && (getgroups(0, nullptr) == 0 || process.keeps_groups);
  if (!has_groups && !needs_none) return failed(process, "setgroups");
  if (prctl(PR_SET_KEEPCAPS, 1) != 0) return failed(process, "prctl", "PR_SET_KEEPCAPS");
  if (syscall(SYS_setresgid, gid, gid, gid) != 0) return failed(process, "setresgid");
  if (syscall(SYS_setresuid, uid, uid, uid) != 0) return failed(process, "setresuid");
  return prctl(PR_SET_KEEPCAPS, 0) == 0 || failed(process, "prctl", "PR_SET_KEEPCAPS");
}

bool drop_bounding(Process& process, uint64_t keep) {
  for (int capability = 0; capability < 64; capability++) {
    if (keep & (1ULL << capability)) continue;
    if (prctl(PR_CAPBSET_DROP, capability) != 0) {
      if (errno == EINVAL) break;  // past the last one this kernel knows
      return failed(process, "drop bounding capability");
    }
  }
  return true;
}

namespace {

bool set_rights(const Rights& rights) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2]{};
  for (int half = 0; half < 2; half++) {
    data[half].effective = static_cast<uint32_t>(rights.effective >> (32 * half));
    data[half].permitted = static_cast<uint32_t>(rights.permitted >> (32 * half));
    data[half].inheritable = static_cast<uint32_t>(rights.inheritable >> (32 * half));
  }
  return syscall(SYS_capset, &header, data) == 0;
}

}  // namespace

// Those of the last field stay until the filter is loaded, which may need them.
bool set_capabilities(Process& process, Reader& body) {
  uint64_t effective = body.u64();
  uint64_t permitted = body.u64();
  uint64_t inheritable = body.u64();
  uint64_t ambient = body.u64();
  uint64_t kept = body.u64();
  if (body.bad()) return errno = EPROTO, failed(process, "capabilities");
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  // What this machine does not hold cannot be given.
  __user_cap_data_struct now[2]{};
  if (syscall(SYS_capget, &header, now) != 0) return failed(process, "capget");
  uint64_t held = now[0].permitted | (static_cast<uint64_t>(now[1].permitted) << 32);
  if (permitted & ~held) warn(process, "capset", "some capabilities are not available on this host");
  permitted &= held;
  effective &= held;
  ambient &= held;
  inheritable &= held;
  kept &= held;
  process.rights = {.effective = effective, .permitted = permitted, .inheritable = inheritable};
  process.holds_more = (kept & ~effective) || (kept & ~permitted);
  if (!set_rights({.effective = effective | kept, .permitted = permitted | kept, .inheritable = inheritable})) {
    return failed(process, "capset");
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int capability = 0; capability < 64; capability++) {
    if (!(ambient & (1ULL << capability))) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return failed(process, "ambient capability");
  }
  return true;
}

// Connected while the host's paths are in reach (runtime-spec config-linux.md, "Seccomp", listenerPath).
bool connect_listener(Process& process, const char* path) {
  sockaddr_un address{.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, failed(process, "seccomp listener", path);
  memcpy(address.sun_path, path, strlen(path));
  process.seccomp_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // Of connect(2) as well, where the listener's queue is full, and of what is sent to one that does not read.
  timeval patience{.tv_sec = 10};
  if (process.seccomp_socket >= 0 &&
      setsockopt(process.seccomp_socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
      retry([&] { return connect(process.seccomp_socket, reinterpret_cast<sockaddr*>(&address), sizeof address); }) == 0) {
    return true;
  }
  if (errno == EAGAIN) errno = ETIMEDOUT;
  return failed(process, "seccomp listener", path);
}

namespace {

// The container process state, which says the pid twice, with the descriptor of the notifications.
bool hand_over(Process& process, int fd, const char* before, const char* between, const char* after) {
  char pid[16];
  snprintf(pid, sizeof pid, "%d", process.host_pid);
  const char* texts[] = {before, pid, between, pid, after};
  iovec parts[5];
  for (int i = 0; i < 5; i++) parts[i] = {const_cast<char*>(texts[i]), strlen(texts[i])};
  return send_with(process.seccomp_socket, parts, 5, fd) > 0 || failed(process, "send", "seccomp listener");
}

}  // namespace

bool load_seccomp(Process& process, Reader& body) {
  uint32_t flags = body.u32();
  Reader filter = body.bytes();
  const char* before = body.string();
  const char* between = body.string();
  const char* after = body.string();
  if (body.bad() || filter.size() == 0 || filter.size() % sizeof(sock_filter) != 0) {
    return errno = EPROTO, failed(process, "seccomp");
  }
  // What comes after the filter, the filter has to allow: the least there is.
  if (!settle_files(process)) return false;
  std::vector<sock_filter> aligned(filter.size() / sizeof(sock_filter));
  memcpy(aligned.data(), filter.data(), filter.size());
  sock_fprog program{.len = static_cast<unsigned short>(aligned.size()), .filter = aligned.data()};
  long answer = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (answer < 0) return failed(process, "seccomp");
  if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
    Fd listener(static_cast<int>(answer));
    if (process.seccomp_socket >= 0 && !hand_over(process, listener.get(), before, between, after)) return false;
  }
  return !process.holds_more || set_rights(process.rights) || failed(process, "capset");
}

namespace {

// Of the descriptors: raised at once, while that may be done, and lowered when the process needs no more of them.
bool prepare_file_limit(Process& process, rlimit64 wanted, const char* name) {
  rlimit64 present{};
  if (prlimit64(0, RLIMIT_NOFILE, nullptr, &present) != 0) return failed(process, "getrlimit", name);
  rlimit64 raised{.rlim_cur = present.rlim_cur, .rlim_max = wanted.rlim_max};
  if (wanted.rlim_max > present.rlim_max && prlimit64(0, RLIMIT_NOFILE, &raised, nullptr) != 0) {
    if (errno != EPERM) return failed(process, "setrlimit", name);
    warn(process, "setrlimit", name);
    wanted.rlim_max = present.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max) wanted.rlim_cur = wanted.rlim_max;
  }
  process.limits.push_back({RLIMIT_NOFILE, wanted.rlim_cur, wanted.rlim_max, name});
  return true;
}

// Whether the process is born as the user it shall be: the one it is born of is the user's then, too, and counts.
bool forks_as_user(Reader rest) {
  bool is_user = false;
  for (Step step; next(rest, step);) {
    if (step.code == Code::kUser) is_user = true;
    if (step.code == Code::kFork && is_user) return true;
  }
  return false;
}

}  // namespace

bool set_rlimit(Process& process, Reader& body) {
  uint32_t resource = body.u32();
  rlimit64 wanted{.rlim_cur = body.u64(), .rlim_max = body.u64()};
  const char* name = body.string();
  if (body.bad()) return errno = EPROTO, failed(process, "setrlimit");
  if (resource == RLIMIT_NOFILE) return prepare_file_limit(process, wanted, name);
  auto set = [&](const rlimit64& limit) { return prlimit64(0, static_cast<__rlimit_resource>(resource), &limit, nullptr); };
  if (resource == RLIMIT_NPROC && wanted.rlim_max < RLIM64_INFINITY && forks_as_user(process.rest)) {
    // Room for both, until it is born.
    rlimit64 both{.rlim_cur = wanted.rlim_cur + 1, .rlim_max = wanted.rlim_max + 1};
    if (set(both) == 0) return process.limits.push_back({resource, wanted.rlim_cur, wanted.rlim_max, name}), true;
  }
  if (set(wanted) == 0) return true;
  if (errno != EPERM) return failed(process, "setrlimit", name);
  // Without CAP_SYS_RESOURCE a hard limit cannot be raised: go as far as the present one, and say so.
  warn(process, "setrlimit", name);
  rlimit64 present{};
  if (prlimit64(0, static_cast<__rlimit_resource>(resource), nullptr, &present) != 0) return failed(process, "getrlimit", name);
  present.rlim_cur = wanted.rlim_cur < present.rlim_max ? wanted.rlim_cur : present.rlim_max;
  if (wanted.rlim_max < present.rlim_max) present.rlim_max = wanted.rlim_max;
  return set(present) == 0 || failed(process, "setrlimit", name);
}

}  // namespace stack::shim
