#include "core/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace stack {

namespace {

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

Result<int> sealed(Fd memory, const char* what) {
  if (fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) return fail("seal", what);
  return memory.release();
}

// All a child needs between clone and exec, where only system calls are safe.
struct Launch {
  int executable;
  const int* sources;
  int count;
  char** argv;
};

int execute(void* argument) {
  auto* launch = static_cast<Launch*>(argument);
  // First out of the way, then into place: a source may lie where another has to go.
  int base = 3 + launch->count;
  int executable = fcntl(launch->executable, F_DUPFD_CLOEXEC, base);
  int moved[256];
  for (int i = 0; i < launch->count; i++) moved[i] = fcntl(launch->sources[i], F_DUPFD_CLOEXEC, base);
  for (int i = 0; i < launch->count; i++) {
    if (dup2(moved[i], 3 + i) < 0) _exit(127);
  }
  syscall(SYS_close_range, base, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
  char* environment[] = {nullptr};
  syscall(SYS_execveat, executable, "", launch->argv, environment, AT_EMPTY_PATH);
  _exit(127);
}

}  // namespace

Result<int> sealed_copy(const std::string& path) {
  Fd from(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!from || fstat(from.get(), &info) != 0) return fail("open", path);
  Fd memory(memfd_create("stack-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return fail("memfd_create", path);
  for (off_t left = info.st_size; left > 0;) {
    ssize_t copied = sendfile(memory.get(), from.get(), nullptr, static_cast<size_t>(left));
    if (copied <= 0) return fail("copy", path);
    left -= copied;
  }
  return sealed(std::move(memory), "stack-shim");
}

Result<int> spawn_shim(int executable, const std::vector<uint8_t>& program, const std::vector<int>& fds) {
  if (fds.size() > 250) return Error{"spawn", E2BIG, "descriptors"};
  Fd memory(memfd_create("stack-program", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return fail("memfd_create", "program");
  if (write(memory.get(), program.data(), program.size()) != static_cast<ssize_t>(program.size())) {
    return fail("write", "program");
  }
  auto ready = sealed(std::move(memory), "program");
  if (!ready.ok()) return ready.error();
  Fd program_fd(ready.value());
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail("socketpair");
  Fd ours(ends[0]), theirs(ends[1]);

  std::vector<int> sources{theirs.get(), program_fd.get()};
  sources.insert(sources.end(), fds.begin(), fds.end());
  char name[] = "stack-shim";
  char count[16];
  snprintf(count, sizeof count, "%zu", fds.size());
  char* argv[] = {name, count, nullptr};
  constexpr size_t kStack = 64 * 1024;
  std::vector<char> stack(kStack);
  Launch launch{executable, sources.data(), static_cast<int>(sources.size()), argv};
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pid_t launcher = clone(execute, stack.data() + kStack, CLONE_VM | CLONE_VFORK, &launch);
  int number = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (launcher < 0) return Error{"clone", number, "shim"};
  int status = 0;
  // It forks the monitor proper and ends, which gives that one to init.
  retry([&] { return waitpid(launcher, &status, __WALL); });
  if (WIFSIGNALED(status)) return Error{"exec", ENOEXEC, "stack_shim, killed by signal " + std::to_string(WTERMSIG(status))};
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Error{"exec", ENOEXEC, "stack_shim"};
  return ours.release();
}

Result<int> connect_in(int dirfd, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dirfd, name.c_str());
  Fd socket_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket_fd) return fail("socket");
  if (retry([&] { return connect(socket_fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address); }) != 0) {
    return fail("connect", name);
  }
  return socket_fd.release();
}

Result<Nothing> send_frame(int socket, const std::vector<uint8_t>& frame, const std::vector<int>& fds) {
  size_t sent = 0;
  while (sent < frame.size()) {
    iovec part{const_cast<uint8_t*>(frame.data()) + sent, frame.size() - sent};
    alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))]{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (sent == 0 && !fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
    }
    ssize_t size = retry([&] { return sendmsg(socket, &message, MSG_NOSIGNAL); });
    if (size < 0) return fail("sendmsg");
    sent += static_cast<size_t>(size);
  }
  return Nothing{};
}

Result<Received> receive_frame(int socket) {
  Received received;
  uint32_t length = 0;
  size_t have = 0;
  auto take = [&](void* into, size_t size) -> ssize_t {
    iovec part{into, size};
    alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = retry([&] { return recvmsg(socket, &message, MSG_CMSG_CLOEXEC); });
    if (got <= 0) return got;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      size_t before = received.fds.size();
      received.fds.resize(before + count);
      memcpy(received.fds.data() + before, CMSG_DATA(header), count * sizeof(int));
    }
    return got;
  };
  while (have < sizeof length) {
    ssize_t got = take(reinterpret_cast<char*>(&length) + have, sizeof length - have);
    if (got < 0) return fail("recvmsg");
    if (got == 0) {
      received.is_end = true;
      return received;
    }
    have += static_cast<size_t>(got);
  }
  if (length > (1 << 20)) return Error{"recvmsg", EPROTO, "frame"};
  received.frame.resize(length);
  for (have = 0; have < length;) {
    ssize_t got = take(received.frame.data() + have, length - have);
    if (got < 0) return fail("recvmsg");
    if (got == 0) return Error{"recvmsg", ECONNRESET, "frame"};
    have += static_cast<size_t>(got);
  }
  return received;
}

Result<Nothing> close_on_exec(int from) {
  if (syscall(SYS_close_range, from, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) != 0) return fail("close_range");
  return Nothing{};
}

Result<int> pidfd_open(int pid) {
  auto fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return fd >= 0 ? Result<int>(fd) : fail("pidfd_open", std::to_string(pid));
}

Result<Nothing> pidfd_signal(int fd, int signal) {
  if (syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0) != 0) return fail("pidfd_send_signal");
  return Nothing{};
}

Result<bool> pidfd_wait(int fd, int timeout_ms) {
  pollfd wait{.fd = fd, .events = POLLIN};
  int ready = retry([&] { return poll(&wait, 1, timeout_ms); });
  if (ready < 0) return fail("poll");
  return ready > 0;
}

}  // namespace stack
