#include "shim/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/result.h"

namespace stack::shim {

// A file of this process below the procfs it was born with: never of one that a container mounted or covered.
bool write_host_proc(Process& process, const char* step, const char* path, const char* text) {
  Fd file(openat(process.host_proc, path, O_WRONLY | O_CLOEXEC));
  auto size = static_cast<ssize_t>(strlen(text));
  return (file && write(file.get(), text, size) == size) || failed(process, step, text);
}

void leave_host_proc(Process& process) {
  Reader rest = process.rest;
  for (Step step; next(rest, step);) {
    if (step.code == Code::kLabel) process.labels.push_back(openat(process.host_proc, step.body.string(), O_WRONLY | O_CLOEXEC));
  }
  close(process.host_proc);
  process.host_proc = -1;
}

namespace {

bool write_file(Process& process, const char* step, const char* path, const char* text) {
  Fd file(open(path, O_WRONLY | O_CLOEXEC));
  auto size = static_cast<ssize_t>(strlen(text));
  if (!file || write(file.get(), text, size) != size) return failed(process, step, path);
  return true;
}

bool join_cgroup(Process& process, Reader& body) {
  auto files = body.strings();
  for (const char* file : files) {
    if (file && !write_file(process, "join cgroup", file, "0")) return false;
  }
  return true;
}

// A missing working directory is made, as docker does. One that leads out of the root, through a descriptor of ours, say,
// has no path from it: getcwd(2) tells (CVE-2024-21626).
bool change_directory(Process& process, const char* path) {
  if (chdir(path) != 0) {
    if (errno != ENOENT) return failed(process, "chdir", path);
    Fd made(open_in_root(process, path, Make::kDirectory));
    if (!made || chdir(path) != 0) return failed(process, "chdir", path);
  }
  char now[4096];
  if (syscall(SYS_getcwd, now, sizeof now) < 0) return failed(process, "getcwd", path);
  return now[0] == '/' || (errno = ENOENT, failed(process, "working directory outside of the container", path));
}

// Waits until the caller has done what it does while the namespaces exist and the root has not changed.
bool synchronise(Process& process) {
  send_report(process, Report::kSync, 0, "", "");
  char byte;
  if (retry([&] { return recv(process.report, &byte, 1, 0); }) != 1) _exit(125);
  return true;
}

// A session keyring of the container's own: the caller's keys stay out of reach (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING).
bool join_keyring(Process& process, const char* name) {
  if (syscall(SYS_keyctl, 1, name, 0, 0, 0) >= 0 || errno == ENOSYS) return true;
  // Full, or refused by a filter around us: the container gets no keyring rather than the host's.
  if (errno == EDQUOT || errno == EPERM) return warn(process, "session keyring", name), true;
  return failed(process, "session keyring", name);
}

bool raise_loopback(Process& process) {
  Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return (any && ioctl(any.get(), SIOCSIFFLAGS, &request) == 0) || failed(process, "raise", "lo");
}

bool set_exec_label(Process& process, Reader& body) {
  const char* path = body.string();
  const char* label = body.string();
  if (body.bad()) return errno = EPROTO, failed(process, "label");
  if (process.host_proc >= 0) return write_host_proc(process, "label", path, label);
  Fd file(process.labels.empty() ? -1 : process.labels.front());
  if (file) process.labels.erase(process.labels.begin());
  auto size = static_cast<ssize_t>(strlen(label));
  return (file && write(file.get(), label, size) == size) || failed(process, "label", label);
}

bool setns_by_index(Process& process, Reader& body) {
  uint32_t index = body.u32();
  uint32_t type = body.u32();
  if (body.bad() || index >= process.fds->size()) return errno = EPROTO, failed(process, "setns");
  return setns((*process.fds)[index], static_cast<int>(type)) == 0 || failed(process, "setns");
}

bool apply(Process& process, Step& step) {
  Reader& body = step.body;
  switch (step.code) {
    case Code::kJoinCgroup: return join_cgroup(process, body);
    case Code::kSetns: return setns_by_index(process, body);
    case Code::kUnshare: {
      auto flags = static_cast<int>(body.u32());
      return unshare(flags) == 0 || failed(process, "unshare", body.string());
    }
    case Code::kUserNamespace: return enter_user_namespace(process, body);
    case Code::kFork: return fork_again(process);
    case Code::kSetnsPath: return join_namespace(process, body);
    case Code::kTimeOffsets: return write_host_proc(process, "time offsets", "self/timens_offsets", body.string());
    case Code::kSource: return open_source(process, body, false);
    case Code::kSourceBeneath: return open_source(process, body, true);
    case Code::kHook: return run_hook(process, body);
    case Code::kSync: return synchronise(process);
    case Code::kListener: return connect_listener(process, body.string());
    case Code::kScheduler: return set_scheduler(process, body);
    case Code::kIoPriority: return set_io_priority(process, body.u32());
    case Code::kAffinity: return set_affinity(process, body);
    case Code::kPersonality: return personality(body.u64()) >= 0 || failed(process, "personality");
    case Code::kMemoryPolicy: return set_memory_policy(process, body);
    case Code::kLabel: return set_exec_label(process, body);
    case Code::kChroot: return change_root(process);
    case Code::kMoveRoot: return move_root(process);
    case Code::kAttributes: return change_attributes(process, body);
    case Code::kReconfigure: return reconfigure(process, body);
    case Code::kKeyring: return join_keyring(process, body.string());
    case Code::kLoopback: return raise_loopback(process);
    case Code::kLookup: return look_up(process, body);
    case Code::kFiles: return choose_files(process, body);
    case Code::kHostname: {
      const char* name = body.string();
      return sethostname(name, strlen(name)) == 0 || failed(process, "sethostname", name);
    }
    case Code::kDomainname: {
      const char* name = body.string();
      return setdomainname(name, strlen(name)) == 0 || failed(process, "setdomainname", name);
    }
    case Code::kPropagation: {
      const char* path = body.string();
      return mount(nullptr, path, nullptr, body.u64(), nullptr) == 0 || failed(process, "propagation", path);
    }
    case Code::kOverlay: return overlay(process, body);
    case Code::kBindRoot: return bind_root(process, body);
    case Code::kMount: return mount_filesystem(process, body);
    case Code::kBind: return bind(process, body);
    case Code::kMknod: return make_device(process, body);
    case Code::kSymlink: return make_symlink(process, body);
    case Code::kTerminal: return open_terminal(process, body);
    case Code::kPivot: return pivot(process);
    case Code::kSysctl: {
      const char* path = body.string();
      return write_sysctl(process, path, body.string());
    }
    case Code::kReadonlyRoot: return make_readonly_root(process);
    case Code::kMask: return mask(process, body.string());
    case Code::kReadonlyPath: return make_readonly(process, body.string());
    case Code::kRlimit: return set_rlimit(process, body);
    case Code::kOomScore: return write_host_proc(process, "oom score", "self/oom_score_adj", body.string());
    case Code::kChdir: return change_directory(process, body.string());
    case Code::kBounding: return drop_bounding(process, body.u64());
    case Code::kUser: return set_user(process, body);
    case Code::kCapabilities: return set_capabilities(process, body);
    case Code::kNoNewPrivileges:
      return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || failed(process, "no_new_privs");
    case Code::kSeccomp: return load_seccomp(process, body);
    case Code::kAwait: return await_start(process);
    case Code::kSession: return start_session(process);
    case Code::kInit: return become_init(process);
    case Code::kExec: return execute(process, body);
    case Code::kJoinContainer: return join_container(process, body);
    default: return errno = EPROTO, failed(process, "program");
  }
}

}  // namespace

void run(Process& process, Reader steps) {
  umask(0);
  process.host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct statfs where{};
  if (process.host_proc < 0 || fstatfs(process.host_proc, &where) != 0) {
    failed(process, "open", "/proc");
  } else if (where.f_type != PROC_SUPER_MAGIC) {
    errno = EPERM;
    failed(process, "/proc is no procfs");
  }
  char self[16] = "";
  // The link says the pid as this procfs has it, which is not that of a new pid namespace.
  if (process.host_proc >= 0 && readlinkat(process.host_proc, "self", self, sizeof self - 1) > 0) process.host_pid = atoi(self);
  drop_groups(process);
  prctl(PR_SET_DUMPABLE, 0);  // nobody in a joined namespace may ptrace or look into this process
  for (int fd = 0; fd < 3; fd++) {
    int from = process.stdio[fd] >= 0 ? process.stdio[fd] : open("/dev/null", O_RDWR | O_CLOEXEC);
    if (from < 0 || dup2(from, fd) < 0) {
      failed(process, "stdio");
      break;
    }
  }
  Step step;
  while (!process.failure.kind && next(steps, step)) {
    process.rest = steps;
    if (!apply(process, step)) break;
    if (step.body.bad()) {
      errno = EPROTO;
      failed(process, "program");
    }
  }
  if (!process.failure.kind) {
    errno = EPROTO;
    failed(process, "program", "ended without exec");
  }
  send_report(process, Report::kFailed, process.failure.number, process.failure.step, process.failure.subject);
}

}  // namespace stack::shim
