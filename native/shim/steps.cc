#include "shim/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/result.h"

namespace stack::shim {

namespace {

void send_report(Process& process, Report::Kind kind, int number, const char* step, const char* subject) {
  Report report{.kind = kind, .number = number};
  snprintf(report.step, sizeof report.step, "%s", step);
  snprintf(report.subject, sizeof report.subject, "%s", subject);
  if (send(process.report, &report, sizeof report, MSG_NOSIGNAL) < 0) _exit(127);
}

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

// A missing working directory is made, as docker does.
bool change_directory(Process& process, const char* path) {
  if (chdir(path) == 0) return true;
  if (errno != ENOENT) return failed(process, "chdir", path);
  Fd made(open_in_root(process, path, Make::kDirectory));
  if (!made || chdir(path) != 0) return failed(process, "chdir", path);
  return true;
}

// Enters the namespaces of the container's first process, then forks once more: a pid namespace holds children only.
// CLONE_PARENT makes the new one a child of the shim.
bool join_container(Process& process, uint32_t flags) {
  if (syscall(SYS_setns, process.container, flags) != 0) return failed(process, "setns", "container");
  process.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (process.root < 0) return failed(process, "open", "/");
  if (!(flags & CLONE_NEWPID)) return true;
  clone_args args{.flags = CLONE_PARENT};  // born in this one's cgroups
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return failed(process, "clone", "exec");
  if (pid > 0) {
    send_report(process, Report::kChild, static_cast<int>(pid), "", "");
    _exit(0);
  }
  return true;
}

// The shim closes its end when it goes; the first byte is the order to start. The death signal is set here, after the
// change of user that would clear it and before the wait that tells of an earlier death: there is no gap between them.
bool await_start(Process& process) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  send_report(process, Report::kCreated, 0, "", "");
  char byte;
  if (retry([&] { return recv(process.report, &byte, 1, 0); }) != 1) _exit(125);
  return true;
}

volatile sig_atomic_t forward_to = 0;

// pid 1 for `init: true`: reaps orphans, forwards signals, ends as its child does.
bool become_init(Process& process) {
  pid_t child = fork();  // a filter may already refuse clone3
  if (child < 0) return failed(process, "fork", "init");
  if (child == 0) return true;
  forward_to = child;
  prctl(PR_SET_NAME, "init");
  struct sigaction action{};
  action.sa_handler = [](int signal) { kill(static_cast<pid_t>(forward_to), signal); };
  for (int signal = 1; signal < NSIG; signal++) {
    if (signal != SIGCHLD && signal != SIGKILL && signal != SIGSTOP) sigaction(signal, &action, nullptr);
  }
  // Started, for the monitor, is when this end is closed: a signal before the handlers would be lost.
  syscall(SYS_close_range, 3, ~0U, 0);
  for (;;) {
    int status = 0;
    pid_t ended = wait(&status);
    if (ended < 0 && errno == ECHILD) _exit(0);
    if (ended == child) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

// execvpe(3) with the container's own PATH; an unreadable directory or a non-executable file is remembered, as a shell does.
bool execute(Process& process, Reader& body) {
  auto argv = body.strings();
  auto envp = body.strings();
  if (body.bad() || !argv[0]) return errno = EPROTO, failed(process, "exec");
  syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // of who came by `exec`, or is the child of our init
  auto** arguments = const_cast<char**>(argv.data());
  auto** environment = const_cast<char**>(envp.data());
  const char* path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const char* entry : envp) {
    if (entry && strncmp(entry, "PATH=", 5) == 0) path = entry + 5;
  }
  if (strchr(argv[0], '/')) {
    execve(argv[0], arguments, environment);
    return failed(process, "exec", argv[0]);
  }
  int outcome = ENOENT;
  for (const char* at = path; at && *argv[0];) {
    const char* end = strchrnul(at, ':');
    char candidate[4096];
    int length = snprintf(candidate, sizeof candidate, "%.*s/%s", static_cast<int>(end - at), end == at ? "." : at, argv[0]);
    if (length < static_cast<int>(sizeof candidate)) {
      execve(candidate, arguments, environment);
      struct stat info{};
      if (errno != ENOENT && errno != ENOTDIR && stat(candidate, &info) == 0 && !S_ISDIR(info.st_mode)) outcome = errno;
    }
    at = *end ? end + 1 : nullptr;
  }
  errno = outcome;
  return failed(process, "exec", argv[0]);
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
    case Code::kUnshare: return unshare(static_cast<int>(body.u32())) == 0 || failed(process, "unshare");
    case Code::kHostname: {
      const char* name = body.string();
      return sethostname(name, strlen(name)) == 0 || failed(process, "sethostname", name);
    }
    case Code::kDomainname: {
      const char* name = body.string();
      return setdomainname(name, strlen(name)) == 0 || failed(process, "setdomainname", name);
    }
    case Code::kPropagation:
      return mount(nullptr, "/", nullptr, body.u64(), nullptr) == 0 || failed(process, "propagation", "/");
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
    case Code::kOomScore: return write_file(process, "oom score", "/proc/self/oom_score_adj", body.string());
    case Code::kChdir: return change_directory(process, body.string());
    case Code::kBounding: return drop_bounding(process, body.u64());
    case Code::kUser: return set_user(process, body);
    case Code::kCapabilities: return set_capabilities(process, body);
    case Code::kNoNewPrivileges:
      return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || failed(process, "no_new_privs");
    case Code::kSeccomp: return load_seccomp(process, body);
    case Code::kAwait: return await_start(process);
    case Code::kSession: return setsid() >= 0 || errno == EPERM || failed(process, "setsid");
    case Code::kInit: return become_init(process);
    case Code::kExec: return execute(process, body);
    case Code::kJoinContainer: return join_container(process, body.u32());
    default: return errno = EPROTO, failed(process, "program");
  }
}

}  // namespace

bool failed(Process& process, const char* step, const char* subject) {
  process.failure = Report{.kind = Report::kFailed, .number = errno};
  snprintf(process.failure.step, sizeof process.failure.step, "%s", step);
  snprintf(process.failure.subject, sizeof process.failure.subject, "%s", subject);
  return false;
}

void warn(Process& process, const char* step, const char* subject) {
  send_report(process, Report::kWarning, errno, step, subject);
}

void run(Process& process, Reader steps) {
  umask(0);
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
