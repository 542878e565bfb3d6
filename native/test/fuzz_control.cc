// Fuzz target: what clients write to the control socket, through a real monitor's sockets and epoll, with descriptors among
// the bytes. Driver: fuzz_control_driver.cc, or libFuzzer (npm run fuzz:control -- --libfuzzer).
//
//   input := chunk*
//   chunk := u8 (1: the other client, 2 | 4: so many descriptors, 8: the container's state changes), u16 length, bytes
//
// All runs on a thread whose other system calls fail: nothing is executed, killed or written.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/fd.h"
#include "shim/log.h"
#include "shim/resolver.h"
#include "shim/steps.h"
// A monitor in the middle of its life, without a container to lead it there. Access does not change what is laid out how.
#define private public
#include "shim/monitor.h"
#undef private
#include "test/fuzz_control.h"

namespace stack::shim {

ControlCounts control_counts;

namespace {

void require(bool is_true, const char* what) {
  if (is_true) return;
  fprintf(stderr, "not true: %s\n", what);
  abort();
}

// Memory, threads and sockets are real, and the sanitizer's report; every other call is refused.
void confine() {
  const unsigned allowed[] = {SYS_mmap,    SYS_munmap,   SYS_mremap,   SYS_madvise,   SYS_mprotect, SYS_brk,
                              SYS_futex,   SYS_exit,     SYS_exit_group, SYS_gettid,  SYS_rseq,     SYS_sched_yield,
                              SYS_clock_gettime, SYS_rt_sigprocmask, SYS_sigaltstack, SYS_set_robust_list, SYS_rt_sigreturn,
                              SYS_recvmsg, SYS_recvfrom, SYS_sendmsg,  SYS_sendto,    SYS_socketpair, SYS_close,
                              SYS_dup,     SYS_epoll_ctl, SYS_epoll_create1};
  std::vector<sock_filter> filter{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (unsigned number : allowed) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3));
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])));
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STDERR_FILENO, 0, 1));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  sock_fprog program{.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0,
          "the code is confined");
  // Asked of the kernel rather than believed: without the filter a program would be carried out.
  require(syscall(SYS_clone3, nullptr, 0) == -1 && errno == EPERM, "no process is made");
}

// The lowest number that is free: one more than before where a descriptor was lost.
int lowest_free() {
  int fd = dup(STDERR_FILENO);
  close(fd);
  return fd;
}

class Peer {
 public:
  Peer(Monitor& monitor, int number) : monitor_(monitor) {
    int ends[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0, "socketpair");
    ours_ = Fd(ends[0]);
    require(monitor.add_client(ends[1]) == number, "clients in order");
    number_ = static_cast<uint32_t>(number);
  }

  void say(const uint8_t* bytes, size_t size, size_t descriptors) {
    if (!is_connected() || size == 0) return;
    iovec part{.iov_base = const_cast<uint8_t*>(bytes), .iov_len = size};
    alignas(cmsghdr) char control[CMSG_SPACE(6 * sizeof(int))]{};
    msghdr message{.msg_iov = &part, .msg_iovlen = 1};
    const int fds[6] = {2, 2, 2, 2, 2, 2};
    if (descriptors > 0) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
      memcpy(CMSG_DATA(header), fds, descriptors * sizeof(int));
    }
    if (sendmsg(ours_.get(), &message, MSG_NOSIGNAL) < 0) return;
    count(bytes, size);
    for (size_t reads = size / 16384 + 2; reads > 0 && is_connected(); reads--) monitor_.on_client(number_, EPOLLIN);
    listen();
    if (!is_connected()) control_counts.dropped++;
  }

 private:
  bool is_connected() const { return number_ < monitor_.clients_.size() && monitor_.clients_[number_] != nullptr; }

  void count(const uint8_t* bytes, size_t size) {
    told_.insert(told_.end(), bytes, bytes + size);
    for (uint32_t length; told_.size() >= 6; told_.erase(told_.begin(), told_.begin() + 4 + length)) {
      memcpy(&length, told_.data(), 4);
      if (length < 2 || told_.size() < 4 + static_cast<size_t>(length)) return;
      control_counts.frames++;
    }
  }

  // What it answers is whole frames of known types.
  void listen() {
    uint8_t buffer[16384];
    for (ssize_t size; (size = recv(ours_.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
      heard_.insert(heard_.end(), buffer, buffer + size);
    }
    size_t at = 0;
    while (heard_.size() - at >= 6) {
      uint32_t length;
      uint16_t type;
      memcpy(&length, heard_.data() + at, 4);
      memcpy(&type, heard_.data() + at + 4, 2);
      require(length >= 2 && type >= frame::kOk && type <= frame::kReport, "the answer is a frame");
      if (heard_.size() - at < 4 + static_cast<size_t>(length)) break;
      if (type == frame::kError) check_error(heard_.data() + at + 6, length - 2);
      at += 4 + length;
      control_counts.answers++;
    }
    require(at == heard_.size(), "the answers are whole");
    heard_.clear();
  }

  static void check_error(const uint8_t* body, size_t size) {
    Reader reader(body, size);
    int number = static_cast<int>(reader.u32());
    const char* step = reader.string();
    (void)reader.string();
    require(!reader.bad(), "an error has its errno, step and subject");
    if (strcmp(step, "exec") == 0 && number == EPERM) control_counts.execs++;
  }

  Monitor& monitor_;
  Fd ours_;
  uint32_t number_ = 0;
  std::vector<uint8_t> told_, heard_;
};

std::unique_ptr<Child> child_of(Child::Kind kind, int client, Fd& other_end) {
  auto child = std::make_unique<Child>();
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0, "socketpair");
  child->kind = kind;
  child->pid = 1 << 30;  // above pid_max (proc(5)): nobody's
  child->report = Fd(ends[0]);
  child->client = client;
  other_end = Fd(ends[1]);
  return child;
}

void converse(const uint8_t* bytes, size_t size) {
  int free_before = lowest_free();
  {
    Settings settings;
    Monitor monitor(settings, {});
    monitor.epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
    Fd ends[2];
    monitor.children_.push_back(child_of(Child::kContainer, -1, ends[0]));
    monitor.children_.push_back(child_of(Child::kExec, 0, ends[1]));
    monitor.children_[1]->terminal = Fd(dup(2));
    monitor.container_ = 0;
    Peer peers[2] = {Peer(monitor, 0), Peer(monitor, 1)};
    for (size_t at = 0; at + 3 <= size;) {
      uint8_t how = bytes[at];
      size_t length = std::min<size_t>(bytes[at + 1] | bytes[at + 2] << 8, size - at - 3);
      if (how & 8) monitor.state_ = static_cast<State>((static_cast<int>(monitor.state_) + 1) % 4);
      // A copy of exactly the size, so that a byte too far is seen.
      std::vector<uint8_t> said(bytes + at + 3, bytes + at + 3 + length);
      said.shrink_to_fit();
      peers[how & 1].say(said.data(), said.size(), (how & 4) + (how & 2));
      at += 3 + length;
    }
  }
  require(lowest_free() == free_before, "every descriptor is closed");
}

class Worker {
 public:
  Worker() : thread_([this] { work(); }) { thread_.detach(); }

  void run(const uint8_t* data, size_t size) {
    std::unique_lock lock(mutex_);
    data_ = data, size_ = size, is_busy_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_busy_; });
  }

 private:
  void work() {
    confine();
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return is_busy_; });
      converse(data_, size_);
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
  static auto* worker = new stack::shim::Worker();
  worker->run(bytes, size);
  return 0;
}
