// The shim: one for each container, or for a moment. It gets descriptor 3, a socket to who made it; 4, the sealed program; from 5 on,
// the descriptors the program names by index. argv[1] is how many those are.
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/monitor.h"

namespace {

// Leaves the caller's session and cgroups, and becomes init's child. Being born in a cgroup (clone3 CLONE_INTO_CGROUP)
// and writing to cgroup v1 `tasks` while single-threaded take no lock; cgroup.procs waits for an RCU grace period.
bool fork_away(const stack::shim::Settings& settings) {
  stack::Fd directory(*settings.monitor_cgroup ? open(settings.monitor_cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1);
  clone_args args{.flags = directory ? CLONE_INTO_CGROUP : 0, .exit_signal = SIGCHLD};
  args.cgroup = directory ? static_cast<uint64_t>(directory.get()) : 0;
  long child = syscall(SYS_clone3, &args, sizeof args);
  if (child < 0 && directory) {  // removed meanwhile by a `down` that found it empty: the caller's has to do
    args.flags = args.cgroup = 0;
    child = syscall(SYS_clone3, &args, sizeof args);
  }
  if (child > 0) _exit(0);
  if (child < 0) return false;
  setsid();
  for (const char* file : settings.monitor_tasks) {
    if (!file) break;
    stack::Fd tasks(open(file, O_WRONLY | O_CLOEXEC));
    if (tasks && write(tasks.get(), "0", 1) != 1) continue;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace stack::shim;
  constexpr int kSocket = 3, kProgram = 4, kFirst = 5;
  prctl(PR_SET_NAME, "stack-shim");
  prctl(PR_SET_DUMPABLE, 0);
  for (int signal = 1; signal < NSIG; signal++) ::signal(signal, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  if (null > 2) close(null);
  if (chdir("/") != 0) return 1;
  int count = argc > 1 ? atoi(argv[1]) : 0;
  std::vector<int> fds;
  for (int i = 0; i < count; i++) fds.push_back(kFirst + i);
  for (int fd = kSocket; fd < kFirst + count; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);

  struct stat info{};
  if (fstat(kProgram, &info) != 0 || info.st_size <= 0) return 1;
  auto size = static_cast<size_t>(info.st_size);
  void* program = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, kProgram, 0);
  if (program == MAP_FAILED) return 1;
  close(kProgram);
  Settings settings;
  Reader steps = open_program(static_cast<const uint8_t*>(program), size);
  if (steps.bad() || !read_settings(steps, settings)) return 1;
  if (!fork_away(settings)) return 1;
  if (*settings.settle_root) return settle(settings);
  if (settings.is_launch) return launch(settings, fds, kSocket);
  return Monitor(std::move(settings), std::move(fds)).run(kSocket);
}
