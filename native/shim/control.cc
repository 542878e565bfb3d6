#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/monitor.h"
#include "shim/rights.h"

namespace stack::shim {

namespace {
constexpr size_t kMaxFrame = 1 << 20;
constexpr size_t kMaxClients = 256;
}  // namespace

// Bound through the directory's descriptor: sun_path holds 108 bytes, paths do not.
bool Monitor::listen() {
  sockaddr_un address{.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", run_dir_.get());
  unlinkat(run_dir_.get(), "control", 0);
  listener_ = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  mode_t before = umask(0177);
  bool is_bound = listener_ && bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                  ::listen(listener_.get(), 64) == 0;
  umask(before);
  return is_bound && watch(listener_.get(), Source::kListener, 0, EPOLLIN);
}

int Monitor::add_client(int fd) {
  size_t index = 0;
  while (index < clients_.size() && clients_[index]) index++;
  if (index >= kMaxClients) {
    close(fd);
    return -1;
  }
  if (index == clients_.size()) clients_.emplace_back();
  clients_[index] = std::make_unique<Client>();
  clients_[index]->socket = Fd(fd);
  watch(fd, Source::kClient, static_cast<uint32_t>(index), EPOLLIN);
  return static_cast<int>(index);
}

void Monitor::accept_client() {
  int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != 0) {
    close(fd);
    return;
  }
  add_client(fd);
}

void Monitor::drop_client(uint32_t index) {
  for (auto& child : children_) {
    if (child && child->client == static_cast<int>(index)) child->client = -1;
  }
  clients_[index].reset();
}

void Monitor::reply(int client, uint16_t type, const void* data, size_t size, int fd) {
  if (client < 0 || static_cast<size_t>(client) >= clients_.size() || !clients_[client]) return;
  std::vector<uint8_t> out(6 + size);
  uint32_t length = static_cast<uint32_t>(size + 2);
  memcpy(out.data(), &length, 4);
  memcpy(out.data() + 4, &type, 2);
  if (size) memcpy(out.data() + 6, data, size);
  iovec part{.iov_base = out.data(), .iov_len = out.size()};
  // A client that does not read its few small frames is gone or stuck; it may connect again.
  if (send_with(clients_[client]->socket.get(), &part, 1, fd, MSG_DONTWAIT) != static_cast<ssize_t>(out.size())) {
    drop_client(client);
  }
}

void Monitor::reply_error(int client, const Report& failure) {
  std::vector<uint8_t> body;
  auto put = [&](const void* data, size_t size) {
    auto* bytes = static_cast<const uint8_t*>(data);
    body.insert(body.end(), bytes, bytes + size);
  };
  put(&failure.number, 4);
  for (const char* text : {failure.step, failure.subject}) {
    uint32_t length = static_cast<uint32_t>(strlen(text));
    put(&length, 4);
    put(text, length + 1);
  }
  reply(client, frame::kError, body.data(), body.size());
}

void Monitor::reply_all(Client::Waits waits, uint16_t type, const void* data, size_t size) {
  for (size_t i = 0; i < clients_.size(); i++) {
    if (!clients_[i] || clients_[i]->waits != waits) continue;
    clients_[i]->waits = Client::kNothing;
    if (type == frame::kError) {
      reply_error(static_cast<int>(i), failure_);
    } else {
      reply(static_cast<int>(i), type, data, size);
    }
  }
}

void Monitor::on_client(uint32_t index, uint32_t) {
  Client& client = *clients_[index];
  char buffer[16384];
  iovec part{.iov_base = buffer, .iov_len = sizeof buffer};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  msghdr message{.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t size = recvmsg(client.socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return drop_client(index);
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      client.received.emplace_back(fd);
    }
  }
  client.input.insert(client.input.end(), buffer, buffer + size);
  while (clients_[index] && clients_[index]->input.size() >= 6) {
    auto& input = clients_[index]->input;
    Reader head(input.data(), input.size());
    uint32_t length = head.u32();
    if (length < 2 || length > kMaxFrame) return drop_client(index);
    if (input.size() < 4 + static_cast<size_t>(length)) return;
    std::vector<uint8_t> whole(input.begin() + 4, input.begin() + 4 + length);
    input.erase(input.begin(), input.begin() + 4 + length);
    Reader body(whole.data(), whole.size());
    uint16_t type = body.u16();
    on_request(index, type, body);
    if (clients_[index]) clients_[index]->received.clear();
  }
}

void Monitor::on_request(uint32_t index, uint16_t type, Reader body) {
  Client& client = *clients_[index];
  auto refuse = [&](int number, const char* step) {
    Report report{.kind = Report::kFailed, .number = number};
    snprintf(report.step, sizeof report.step, "%s", step);
    reply_error(static_cast<int>(index), report);
  };
  switch (type) {
    case frame::kStart:
      if (state_ != State::kCreated || container_ < 0) return refuse(EBUSY, "start");
      client.waits = Client::kStarted;
      if (send(children_[container_]->report.get(), "", 1, MSG_NOSIGNAL) != 1) refuse(errno, "start");
      return;
    case frame::kKill: {
      uint32_t signal = body.u32();
      // What is meant to end it is meant to last, as docker has it; a signal of another meaning changes no policy.
      if (signal == SIGKILL || signal == settings_.stop_signal) is_stop_requested_ = true;
      signal_container(static_cast<int>(signal));
      return reply(index, frame::kOk, nullptr, 0);
    }
    case frame::kStop: {
      uint32_t signal = body.u32();
      int64_t grace = body.i64();
      if (body.bad()) return refuse(EPROTO, "stop");
      client.waits = Client::kStopped;
      return request_stop(signal ? signal : settings_.stop_signal, grace < 0 ? settings_.grace_ms : grace);
    }
    case frame::kExec:
      if (state_ != State::kRunning) return refuse(ESRCH, "exec");
      return exec(index, body);
    case frame::kAttach: return attach(index, body.u32());
    case frame::kResize: {
      winsize size{.ws_row = body.u16(), .ws_col = body.u16()};
      int terminal = settings_.has_terminal ? output_[0].get() : -1;
      for (auto& child : children_) {
        if (child && child->client == static_cast<int>(index) && child->terminal) terminal = child->terminal.get();
      }
      if (terminal >= 0) ioctl(terminal, TIOCSWINSZ, &size);
      return;
    }
    case frame::kSignal: {
      int signal = static_cast<int>(body.u32());
      for (auto& child : children_) {
        if (child && child->client == static_cast<int>(index)) {
          syscall(SYS_pidfd_send_signal, child->pidfd.get(), signal, nullptr, 0);
        }
      }
      return;
    }
    case frame::kNetworks: {
      int number = change_networks(body);
      return number ? refuse(number, "networks") : reply(index, frame::kOk, nullptr, 0);
    }
    case frame::kSubscribe: {
      client.is_subscribed = true;
      auto text = status_text();
      return reply(index, frame::kStatus, text.data(), text.size());
    }
    default: return refuse(EPROTO, "request");
  }
}

void Monitor::exec(uint32_t index, Reader program) {
  auto& received = clients_[index]->received;
  int stdio[3] = {-1, -1, -1};
  for (size_t i = 0; i < received.size() && i < 3; i++) stdio[i] = received[i].get();
  Reader steps = open_program(program.data(), program.size());
  if (steps.bad() || spawn(Child::kExec, steps, stdio, static_cast<int>(index)) < 0) {
    Report report{.kind = Report::kFailed, .number = steps.bad() ? EPROTO : errno, .step = "exec"};
    reply_error(static_cast<int>(index), report);
  }
}

// `wanted`: 1 stdin, 2 stdout, 4 stderr; the descriptors came in that order.
void Monitor::attach(uint32_t index, uint32_t wanted) {
  auto& received = clients_[index]->received;
  size_t at = 0;
  auto take = [&](uint32_t bit) { return (wanted & bit) && at < received.size() ? std::move(received[at++]) : Fd(); };
  if (Fd fd = take(1); fd) {
    input_source_ = std::move(fd);
    watch(input_source_.get(), Source::kInput, 0, EPOLLIN);
  }
  for (Stream stream : {Stream::out, Stream::err}) {
    if (Fd fd = take(stream == Stream::out ? 2 : 4); fd) {
      auto sink = std::make_unique<Sink>();
      sink->fd = std::move(fd);
      sink->stream = stream;
      sink->client = static_cast<int>(index);
      sinks_.push_back(std::move(sink));
    }
  }
  reply(static_cast<int>(index), frame::kOk, nullptr, 0);
}

}  // namespace stack::shim
