// The end of a program: the order to start, an init, the command and its descriptors.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "core/result.h"
#include "shim/steps.h"

namespace stack::shim {

// The order to start, over the report socket. With a monitor, the first byte is it, and the monitor closes its end when it
// goes. The death signal is set here, after the change of user that would clear it and before the wait that tells of an
// earlier death: there is no gap between them. Without one, whoever connects to the start socket gives the order.
bool await_start(Process& process) {
  if (process.has_monitor) prctl(PR_SET_PDEATHSIG, SIGKILL);
  send_report(process, Report::kCreated, 0, "", "");
  for (;;) {
    if (process.start_socket >= 0) {
      close(process.report);
      process.report = retry([&] { return accept4(process.start_socket, nullptr, nullptr, SOCK_CLOEXEC); });
      if (process.report < 0) _exit(125);
    }
    char byte;
    if (retry([&] { return recv(process.report, &byte, 1, 0); }) == 1) break;
    if (process.start_socket < 0) _exit(125);
  }
  if (process.start_socket >= 0) close(process.start_socket);
  return true;
}

namespace {

volatile sig_atomic_t forward_to = 0;

}  // namespace

// pid 1 for `init: true`: reaps orphans, forwards signals, ends as its child does.
bool become_init(Process& process) {
  if (!settle_files(process)) return false;  // the limit is the init's, too
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

bool choose_files(Process& process, Reader& body) {
  for (uint32_t index : body.numbers()) {
    bool is_free = index == ~0U;
    if (!is_free && index >= process.fds->size()) return errno = EPROTO, failed(process, "preserved descriptors");
    process.files.push_back(is_free ? -1 : (*process.fds)[index]);
  }
  return true;
}

// The descriptors the command is given, from 3 on; every other one closes with the exec.
bool settle_files(Process& process) {
  if (std::exchange(process.is_settled, true)) return true;
  auto count = static_cast<int>(process.files.size());
  // Out of the way: the report of a failed exec, what takes the descriptor of the filter, and where the order to start comes.
  for (int* own : {&process.report, &process.seccomp_socket, &process.start_socket}) {
    if (*own >= 0 && *own < 3 + count) *own = fcntl(*own, F_DUPFD_CLOEXEC, 3 + count);
  }
  std::vector<int> moved;
  for (int fd : process.files) moved.push_back(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3 + count));
  for (int i = 0; i < count; i++) {
    if (process.files[i] < 0) close(3 + i);
    else if (moved[i] < 0 || dup2(moved[i], 3 + i) < 0) return failed(process, "dup2", "preserved descriptors");
  }
  syscall(SYS_close_range, 3 + count, ~0U, CLOSE_RANGE_CLOEXEC);
  for (const Limit& limit : process.limits) {
    rlimit64 wanted{.rlim_cur = limit.soft, .rlim_max = limit.hard};
    if (prlimit64(0, static_cast<__rlimit_resource>(limit.resource), &wanted, nullptr) != 0) {
      return failed(process, "setrlimit", limit.name);
    }
  }
  return true;
}

namespace {

const char* path_of(const std::vector<const char*>& environment) {
  for (const char* entry : environment) {
    if (entry && strncmp(entry, "PATH=", 5) == 0) return entry + 5;
  }
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

// Tries `use` on every place a command could lie at, as execvpe(3) does; what is there and cannot be used is remembered, as
// a shell does. `use` answers an errno, 0 to end the search.
template <typename Use>
int search_path(const char* command, const char* path, Use use) {
  if (strchr(command, '/')) return use(command);
  int outcome = ENOENT;
  for (const char* at = path; at && *command;) {
    const char* end = strchrnul(at, ':');
    char candidate[4096];
    int length = snprintf(candidate, sizeof candidate, "%.*s/%s", static_cast<int>(end - at), end == at ? "." : at, command);
    if (length < static_cast<int>(sizeof candidate)) {
      int number = use(candidate);
      if (number == 0) return 0;
      struct stat info{};
      if (number != ENOENT && number != ENOTDIR && stat(candidate, &info) == 0 && !S_ISDIR(info.st_mode)) outcome = number;
    }
    at = *end ? end + 1 : nullptr;
  }
  return outcome;
}

}  // namespace

// Whether the command will be found and may be executed: known before anybody waits for it to start.
bool look_up(Process& process, Reader& body) {
  const char* command = body.string();
  auto environment = body.strings();
  if (body.bad()) return errno = EPROTO, failed(process, "exec");
  // A filter that this runtime itself runs under may refuse to look: the exec itself tells then.
  auto known = [](int number) { return number == ENOENT || number == ENOTDIR || number == EACCES ? number : 0; };
  errno = search_path(command, path_of(environment), [&](const char* candidate) {
    struct stat info{};
    if (stat(candidate, &info) != 0) return known(errno);
    if (S_ISDIR(info.st_mode)) return EACCES;
    return faccessat(AT_FDCWD, candidate, X_OK, AT_EACCESS) == 0 ? 0 : known(errno);
  });
  return errno == 0 || failed(process, "exec", command);
}

bool execute(Process& process, Reader& body) {
  auto argv = body.strings();
  auto envp = body.strings();
  if (body.bad() || !argv[0]) return errno = EPROTO, failed(process, "exec");
  if (!settle_files(process)) return false;
  if (process.has_monitor) prctl(PR_SET_PDEATHSIG, SIGKILL);  // of who came by `exec`, or is the child of our init
  errno = search_path(argv[0], path_of(envp), [&](const char* candidate) {
    execve(candidate, const_cast<char**>(argv.data()), const_cast<char**>(envp.data()));
    return errno;
  });
  return failed(process, "exec", argv[0]);
}

}  // namespace stack::shim
