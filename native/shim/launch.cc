#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/result.h"
#include "shim/monitor.h"
#include "shim/rights.h"

namespace stack::shim {

namespace {

// Frames as the monitor's (engine/runtime/control.ts). Sent whole: they are small, and the caller reads.
void send_frame(int caller, uint16_t type, pid_t pid, const void* data, size_t size, int fd = -1) {
  struct __attribute__((packed)) {
    uint32_t length;
    uint16_t type;
    int32_t pid;
  } head{static_cast<uint32_t>(sizeof(uint16_t) + sizeof(int32_t) + size), type, pid};
  iovec parts[2] = {{&head, sizeof head}, {const_cast<void*>(data), size}};
  if (send_with(caller, parts, 2, fd) < 0) return;  // the caller is gone: its socket's end says so, too
}

// Where `start` will come: a socket in the container's own state folder, named through a descriptor of it.
int listen_for_start(const char* directory) {
  Fd folder(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
  Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/start", folder.get());
  if (!folder || !listener || bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener.get(), 4) != 0) {
    return -1;
  }
  return listener.release();
}

int at(const std::vector<int>& fds, uint32_t index) { return index < fds.size() ? fds[index] : -1; }

[[noreturn]] void become(const Settings& settings, const std::vector<int>& fds, Reader steps, int report, int listener) {
  Process process;
  process.report = report;
  process.fds = &fds;
  process.has_monitor = false;
  process.start_socket = listener;
  process.container = at(fds, settings.container);
  std::vector<int> keep(fds);
  for (int i = 0; i < 3; i++) process.stdio[i] = at(fds, settings.stdio[i]);
  keep.push_back(report);
  if (listener >= 0) keep.push_back(listener);
  close_all_except(std::move(keep));
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  run(process, steps);
  _exit(127);
}

class Launch {
 public:
  Launch(const Settings& settings, int caller, Fd report, pid_t pid)
      : settings_(settings), caller_(caller), report_(std::move(report)), pid_(pid) {}

  int run() {
    while (report_) {
      pollfd waits[2] = {{.fd = report_.get(), .events = POLLIN}, {.fd = caller_, .events = POLLIN}};
      if (retry([&] { return poll(waits, 2, -1); }) < 0) break;
      if (waits[0].revents && !on_report()) return 0;
      if (waits[1].revents) on_caller();
    }
    return reap();
  }

 private:
  // False where the container waits for its start and nobody waits for it.
  bool on_report() {
    Report report{};
    Fd terminal;
    ssize_t size = retry([&] { return receive_with(report_.get(), &report, sizeof report, terminal); });
    if (size != sizeof report) {  // every copy was closed: an exec, or an end
      report_.reset();
      if (!has_failed_) send_frame(caller_, frame::kStarted, pid_, nullptr, 0);
      return true;
    }
    if (report.kind == Report::kChild) {
      // Told once, before anybody in the container could have got hold of the socket.
      if (!std::exchange(is_told_, true)) pid_ = report.number;
      return true;
    }
    if (report.kind == Report::kFailed) has_failed_ = true;
    send_frame(caller_, frame::kReport, pid_, &report, sizeof report, terminal.get());
    return report.kind != Report::kCreated || !*settings_.run_dir;
  }

  // A byte is passed on: the order to go on. Its end, before the process executed, is the end of that, too.
  void on_caller() {
    char byte;
    if (retry([&] { return read(caller_, &byte, 1); }) == 1) {
      send(report_.get(), &byte, 1, MSG_NOSIGNAL);
      return;
    }
    kill(pid_, SIGKILL);
    report_.reset();
    has_failed_ = true;
  }

  int reap() {
    if (!has_failed_ && !settings_.waits) return 0;
    if (has_failed_) kill(pid_, SIGKILL);
    else if (settings_.waits == 2) end_with_caller();
    for (;;) {
      int status = 0;
      pid_t ended = retry([&] { return waitpid(-1, &status, 0); });
      if (ended < 0) return 1;
      if (ended != pid_) continue;
      uint32_t code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      send_frame(caller_, frame::kExit, pid_, &code, sizeof code);
      return 0;
    }
  }

  // Returns when the process has ended, or the caller is gone and so the process is killed.
  void end_with_caller() {
    Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    if (!process) return;  // out of descriptors or memory: then its end at least is told
    for (;;) {
      pollfd waits[2] = {{.fd = process.get(), .events = POLLIN}, {.fd = caller_, .events = POLLIN}};
      if (retry([&] { return poll(waits, 2, -1); }) < 0 || waits[0].revents) return;
      char byte;
      if (waits[1].revents && retry([&] { return read(caller_, &byte, 1); }) != 1) {
        kill(pid_, SIGKILL);
        return;
      }
    }
  }

  const Settings& settings_;
  int caller_;
  Fd report_;
  pid_t pid_;
  bool has_failed_ = false;
  bool is_told_ = false;
};

int refuse(int caller, const char* step, const char* subject) {
  Report report{.kind = Report::kFailed, .number = errno};
  snprintf(report.step, sizeof report.step, "%s", step);
  snprintf(report.subject, sizeof report.subject, "%s", subject);
  send_frame(caller, frame::kReport, 0, &report, sizeof report);
  return 1;
}

}  // namespace

int launch(const Settings& settings, const std::vector<int>& fds, int caller) {
  int sockets[2];
  Fd listener(*settings.run_dir ? listen_for_start(settings.run_dir) : -1);
  if (*settings.run_dir && !listener) return refuse(caller, "listen", settings.run_dir);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return refuse(caller, "socketpair", "");
  Fd ours(sockets[0]), theirs(sockets[1]);
  Reader steps = settings.process;
  int pidfd = -1;
  pid_t pid = clone_process(steps, pidfd);
  if (pid < 0) return refuse(caller, "clone", "container");
  if (pid == 0) become(settings, fds, steps, theirs.get(), listener.get());
  // The container's streams end when its processes end, not when this one does.
  close_all_except({caller, ours.get()});
  theirs.release();
  listener.release();
  return Launch(settings, caller, std::move(ours), pid).run();
}

}  // namespace stack::shim
