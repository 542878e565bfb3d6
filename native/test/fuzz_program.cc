// Fuzz target: a program through the decoder, the settings in it, and every step through the very code that applies it.
// The driver of CI is fuzz_driver.cc; where clang is there, libFuzzer drives it, too:
//   npm run fuzz:program -- --runs 1000000 --libfuzzer
//
// The appliers run on threads of their own whose system calls never happen: a seccomp filter answers each of them. On one
// thread they all succeed, on the other two they fail. What is left is what this is after: how bytes are read.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <condition_variable>
#include <mutex>
#include <thread>

// One translation unit: apply() is steps.cc's own.
#include "shim/copy.cc"
#include "shim/credentials.cc"
#include "shim/execute.cc"
#include "shim/hooks.cc"
#include "shim/mounts.cc"
#include "shim/namespaces.cc"
#include "shim/paths.cc"
#include "shim/places.cc"
#include "shim/report.cc"
#include "shim/scheduling.cc"
#include "shim/settings.cc"
#include "shim/steps.cc"
#include "shim/terminal.cc"
#include "test/fuzz_program.h"

namespace {
struct Ended {};
}  // namespace

// What the C library does around these calls is for a process that really ends, forks or changes its user.
extern "C" {
[[noreturn]] void _exit(int) { throw Ended(); }
pid_t fork() noexcept { return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
int setresuid(uid_t, uid_t, uid_t) noexcept { return 0; }
int setresgid(gid_t, gid_t, gid_t) noexcept { return 0; }
}

namespace stack::shim {

FuzzCounts fuzz_counts;

namespace {

// Memory and threads are real, and the sanitizer's report; every other call answers `errno_value`, 0 being success.
void confine(unsigned errno_value) {
  const unsigned allowed[] = {SYS_mmap,  SYS_munmap,       SYS_mremap,      SYS_madvise, SYS_mprotect,   SYS_brk,
                              SYS_futex, SYS_exit_group,   SYS_exit,        SYS_gettid,  SYS_sched_yield, SYS_rseq,
                              SYS_clock_gettime, SYS_rt_sigprocmask, SYS_sigaltstack, SYS_set_robust_list, SYS_rt_sigreturn, SYS_dup};
  std::vector<sock_filter> filter;
  auto add = [&](sock_filter instruction) { filter.push_back(instruction); };
  add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (unsigned number : allowed) {
    add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])));
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STDERR_FILENO, 0, 1));
  add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  add(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno_value));
  sock_fprog program{.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  bool is_confined = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
  // Asked of the kernel rather than believed: without the filter a program would be carried out.
  errno = 0;
  long answer = syscall(SYS_umount2, "", 0x40000000);  // no such flag: EINVAL where it is carried out
  bool is_answered = errno_value ? answer == -1 && errno == static_cast<int>(errno_value) : answer == 0;
  if (!is_confined || !is_answered) {
    fprintf(stderr, "the fuzzed code could not be confined\n");
    abort();
  }
}

// All of them, also behind one that failed: a real process would have stopped there.
void apply_all(Reader steps) {
  const std::vector<int> fds{1000, 1001, 1002};
  Process process;
  process.fds = &fds;
  process.report = 1003;
  process.container = 1000;
  process.root = process.host_proc = 1001;
  Step step;
  while (next(steps, step)) {
    fuzz_counts.steps++;
    try {
      if (step.code == Code::kClone) {  // children.cc, clone_process
        (void)step.body.u64();
        (void)strlen(step.body.string());
      } else if (apply(process, step) && !step.body.bad()) {
        fuzz_counts.applied++;
      }
    } catch (const Ended&) {
    }
    process.seccomp_socket = -1;
    if (process.files.size() > 64) process.files.clear();
  }
}

void use(const char* text) { fuzz_counts.bytes += strlen(text); }

// What main.cc, launch.cc and the monitor read of it.
void read_program(const uint8_t* data, size_t size) {
  Reader steps = open_program(data, size);
  if (steps.bad()) return;
  fuzz_counts.opened++;
  apply_all(steps);  // an exec request: steps of a process at the top
  Settings settings;
  if (!read_settings(steps, settings)) return;
  fuzz_counts.accepted++;
  for (const char* text : {settings.run_dir, settings.log_dir, settings.monitor_cgroup, settings.oom_file}) use(text);
  for (const char* text : settings.monitor_tasks) if (text) use(text);
  for (const char* text : settings.upstreams) if (text) use(text);
  for (const Settings::Endpoint& endpoint : settings.endpoints) use(endpoint.table);
  apply_all(settings.process);
  apply_all(settings.probe);
}

class Worker {
 public:
  explicit Worker(unsigned errno_value) : thread_([=, this] { work(errno_value); }) { thread_.detach(); }

  void run(const uint8_t* data, size_t size) {
    std::unique_lock lock(mutex_);
    data_ = data, size_ = size, is_busy_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_busy_; });
  }

 private:
  void work(unsigned errno_value) {
    confine(errno_value);
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return is_busy_; });
      read_program(data_, size_);
      is_busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  bool is_busy_ = false;
  std::thread thread_;
};

}  // namespace

}  // namespace stack::shim

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using stack::shim::Worker;
  static auto* workers = new Worker[3]{Worker(0), Worker(ENOENT), Worker(EPERM)};
  static uint64_t turn = 0;
  // A copy of exactly the size, so that a byte too far is seen.
  std::vector<uint8_t> copy(bytes, bytes + size);
  copy.shrink_to_fit();
  // Where calls succeed most code is reached; failures take their turn.
  turn++;
  workers[turn % 4 == 1 ? 1 : turn % 4 == 3 ? 2 : 0].run(copy.data(), copy.size());
  return 0;
}
