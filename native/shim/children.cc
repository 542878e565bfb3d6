#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "shim/monitor.h"
#include "shim/rights.h"

namespace stack::shim {

void close_all_except(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned from = 3;
  for (int fd : keep) {
    if (fd < static_cast<int>(from)) continue;
    if (fd > static_cast<int>(from)) syscall(SYS_close_range, from, fd - 1, 0);
    from = fd + 1;
  }
  syscall(SYS_close_range, from, ~0U, 0);
}

namespace {

bool has_step(Reader steps, Code code) {
  for (Step step; next(steps, step);) {
    if (step.code == code) return true;
  }
  return false;
}

}  // namespace

pid_t clone_process(Reader& steps, int& pidfd) {
  uint64_t flags = CLONE_PIDFD;
  Fd cgroup;
  Reader peek = steps;
  Step step;
  if (next(peek, step) && step.code == Code::kClone) {
    flags |= step.body.u64();
    const char* directory = step.body.string();
    // Read as no flags at all, it would set the container up in the namespaces of the caller.
    if (step.body.bad()) return errno = EPROTO, -1;
    if (*directory) {
      cgroup = Fd(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!cgroup) return -1;
      flags |= CLONE_INTO_CGROUP;
    }
    steps = peek;
  }
  clone_args args{.flags = flags, .pidfd = reinterpret_cast<uint64_t>(&pidfd), .exit_signal = SIGCHLD};
  args.cgroup = cgroup ? static_cast<uint64_t>(cgroup.get()) : 0;
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
}

// Index of the new child, or -1 with errno set.
int Monitor::spawn(Child::Kind kind, Reader steps, const int (&stdio)[3], int client) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return -1;
  Fd ours(sockets[0]), theirs(sockets[1]);
  int pidfd = -1;
  pid_t pid = clone_process(steps, pidfd);
  if (pid < 0) return -1;
  if (pid == 0) {
    Process process;
    process.report = theirs.get();
    process.fds = &fds_;
    std::copy(std::begin(stdio), std::end(stdio), process.stdio);
    std::vector<int> keep{theirs.get(), stdio[0], stdio[1], stdio[2]};
    if (kind == Child::kContainer) {
      keep.insert(keep.end(), fds_.begin(), fds_.end());
    } else if (container_ >= 0) {
      process.container = children_[container_]->pidfd.get();
      keep.push_back(process.container);
    }
    close_all_except(std::move(keep));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    shim::run(process, steps);
    _exit(127);
  }
  auto child = std::make_unique<Child>();
  child->kind = kind;
  child->pid = pid;
  child->pidfd = Fd(pidfd);
  child->report = std::move(ours);
  child->client = client;
  child->forks = has_step(steps, Code::kFork) || has_step(steps, Code::kJoinContainer);
  size_t index = 0;
  while (index < children_.size() && children_[index]) index++;
  if (index == children_.size()) children_.emplace_back();
  watch(child->report.get(), Source::kReport, static_cast<uint32_t>(index), EPOLLIN);
  children_[index] = std::move(child);
  return static_cast<int>(index);
}

void Monitor::on_report(uint32_t index) {
  while (index < children_.size() && children_[index] && children_[index]->report) {
    Child& child = *children_[index];
    Report report{};
    Fd terminal;
    ssize_t size = receive_with(child.report.get(), &report, sizeof report, terminal, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size != sizeof report) {  // every copy was closed: execve, or an exit
      child.report.reset();
      if (!child.has_failed) on_executed(child);
      return;
    }
    report.step[sizeof report.step - 1] = report.subject[sizeof report.subject - 1] = '\0';
    switch (report.kind) {
      case Report::kCreated:
        if (child.kind == Child::kContainer) on_created();
        break;
      case Report::kWarning:
        if (warnings_.size() < 16) warnings_.push_back(report);
        break;
      case Report::kTerminal:
        child.terminal = std::move(terminal);
        break;
      case Report::kChild: {
        if (!child.forks) break;  // told once, before anybody in the container could have got hold of the socket
        child.pid = report.number;
        child.pidfd = Fd(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));
        child.forks = false;
        auto early = std::find_if(early_exits_.begin(), early_exits_.end(), [&](auto& e) { return e.first == child.pid; });
        if (early != early_exits_.end()) {
          int status = early->second;
          early_exits_.erase(early);
          return reaped(child.pid, status);
        }
        // Kept any longer, they would be taken for later processes of the same numbers.
        if (!awaits_pid()) early_exits_.clear();
        break;
      }
      default:
        child.has_failed = true;
        child.failure = report;
    }
  }
}

void Monitor::on_child_signal() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGTERM) request_stop(settings_.stop_signal, settings_.grace_ms);
  }
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) reaped(pid, status);
}

void Monitor::reaped(pid_t pid, int status) {
  for (uint32_t i = 0; i < children_.size(); i++) {
    if (children_[i] && children_[i]->pid == pid) {
      on_report(i);  // what it had to say comes first
      if (!children_[i]) return;
      Child& child = *children_[i];
      if (child.pid != pid || (child.forks && !child.has_failed && WIFEXITED(status) && WEXITSTATUS(status) == 0)) return;
      if (child.report) {  // only a grandchild could still hold it
        child.report.reset();
        if (!child.has_failed) on_executed(child);
      }
      int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      if (child.kind == Child::kContainer) return on_exit(code);
      if (child.kind == Child::kProbe) {
        release(i);
        return on_probe_exit(code);
      }
      if (child.has_failed) {
        reply_error(child.client, child.failure);
      } else {
        uint32_t answer[2] = {static_cast<uint32_t>(code), 0};
        reply(child.client, frame::kExit, answer, sizeof answer);
      }
      return release(i);
    }
  }
  if (awaits_pid()) early_exits_.emplace_back(pid, status);
}

// Some child has not told yet which process is the real one.
bool Monitor::awaits_pid() const {
  return std::any_of(children_.begin(), children_.end(), [](auto& child) { return child && child->forks; });
}

void Monitor::release(uint32_t index) {
  children_[index].reset();
  if (!awaits_pid()) early_exits_.clear();
}

}  // namespace stack::shim
