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
#include "shim/rights.h"
#include "shim/steps.h"

namespace stack::shim {

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
  // A user namespace may forbid it for good; there is nothing to give up then.
  bool has_groups = syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
  if (!has_groups && !(groups.empty() && errno == EPERM)) return failed(process, "setgroups");
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

bool set_capabilities(Process& process, Reader& body) {
  uint64_t effective = body.u64();
  uint64_t permitted = body.u64();
  uint64_t inheritable = body.u64();
  uint64_t ambient = body.u64();
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
  __user_cap_data_struct data[2]{};
  for (int half = 0; half < 2; half++) {
    data[half].effective = static_cast<uint32_t>(effective >> (32 * half));
    data[half].permitted = static_cast<uint32_t>(permitted >> (32 * half));
    data[half].inheritable = static_cast<uint32_t>(inheritable >> (32 * half));
  }
  if (syscall(SYS_capset, &header, data) != 0) return failed(process, "capset");
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
  return (process.seccomp_socket >= 0 &&
          connect(process.seccomp_socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) ||
         failed(process, "seccomp listener", path);
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
  std::vector<sock_filter> aligned(filter.size() / sizeof(sock_filter));
  memcpy(aligned.data(), filter.data(), filter.size());
  sock_fprog program{.len = static_cast<unsigned short>(aligned.size()), .filter = aligned.data()};
  long answer = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (answer < 0) return failed(process, "seccomp");
  if (!(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)) return true;
  Fd listener(static_cast<int>(answer));
  return process.seccomp_socket < 0 || hand_over(process, listener.get(), before, between, after);
}

bool set_rlimit(Process& process, Reader& body) {
  uint32_t resource = body.u32();
  rlimit64 wanted{.rlim_cur = body.u64(), .rlim_max = body.u64()};
  const char* name = body.string();
  if (body.bad()) return errno = EPROTO, failed(process, "setrlimit");
  auto set = [&](const rlimit64& limit) { return prlimit64(0, static_cast<__rlimit_resource>(resource), &limit, nullptr); };
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
