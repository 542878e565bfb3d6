// Hooks that run inside the container's namespaces: createContainer before the change of root, startContainer after it.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/result.h"
#include "shim/steps.h"

namespace stack::shim {

namespace {

[[noreturn]] void become_hook(int input, const char* directory, const char* path, char* const* argv, char* const* envp) {
  int null = open("/dev/null", O_RDWR);
  if (dup2(input, 0) < 0 || (null >= 0 && dup2(null, 1) < 0)) _exit(127);
  setpgid(0, 0);
  if (chdir(directory) != 0) _exit(127);
  syscall(SYS_close_range, 3, ~0U, 0);
  execve(path, argv, envp);
  _exit(errno == ENOENT ? 127 : 126);
}

}  // namespace

bool run_hook(Process& process, Reader& body) {
  const char* path = body.string();
  auto argv = body.strings();
  auto envp = body.strings();
  const char* directory = body.string();
  uint32_t timeout_ms = body.u32();
  const char* before_pid = body.string();
  const char* after_pid = body.string();
  if (body.bad()) return errno = EPROTO, failed(process, "hook");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failed(process, "pipe", path);
  Fd input(ends[0]), state(ends[1]);
  pid_t hook = fork();
  if (hook < 0) return failed(process, "fork", path);
  if (hook == 0) become_hook(input.get(), directory, path, const_cast<char**>(argv.data()), const_cast<char**>(envp.data()));
  setpgid(hook, hook);  // by both: whoever comes first, the group is there when it is killed
  input.reset();
  // A hook that does not read its state may be gone, or never take it: neither ends nor stops this process.
  signal(SIGPIPE, SIG_IGN);
  fcntl(state.get(), F_SETFL, O_NONBLOCK);
  dprintf(state.get(), "%s%d%s", before_pid, getpid(), after_pid);
  state.reset();
  signal(SIGPIPE, SIG_DFL);
  Fd watched(static_cast<int>(syscall(SYS_pidfd_open, hook, 0)));
  pollfd wait{.fd = watched.get(), .events = POLLIN};
  bool is_late = watched && retry([&] { return poll(&wait, 1, timeout_ms ? static_cast<int>(timeout_ms) : -1); }) == 0;
  if (is_late) kill(-hook, SIGKILL), kill(hook, SIGKILL);
  int status = 0;
  retry([&] { return waitpid(hook, &status, 0); });
  if (!is_late && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  char subject[200];
  if (is_late) snprintf(subject, sizeof subject, "%s: not done after %u ms", path, timeout_ms);
  else if (WIFSIGNALED(status)) snprintf(subject, sizeof subject, "%s: killed by signal %d", path, WTERMSIG(status));
  else snprintf(subject, sizeof subject, "%s: exited with %d", path, WEXITSTATUS(status));
  errno = is_late ? ETIMEDOUT : ECANCELED;
  return failed(process, "hook", subject);
}

}  // namespace stack::shim
