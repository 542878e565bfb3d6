#include "core/netlink.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "core/fd.h"
#include "core/namespace.h"

namespace stack::net {

namespace {

constexpr size_t kReceive = 64 * 1024;

void set_option(int fd, int level, int name, int value) { (void)setsockopt(fd, level, name, &value, sizeof value); }

// The kernel answers rtnetlink and nfnetlink requests before sendmsg(2) returns, and queues the next part of a dump
// before recvmsg(2) returns: an empty queue means that everything was said. No answer can be waited for in vain.
Result<> drain(int fd, std::vector<uint8_t>& answers) {
  for (;;) {
    size_t used = answers.size();
    answers.resize(used + kReceive);
    iovec part{answers.data() + used, kReceive};
    msghdr header{.msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = retry([&] { return recvmsg(fd, &header, MSG_DONTWAIT); });
    answers.resize(used + std::max<ssize_t>(got, 0));
    if (got < 0 && errno == EAGAIN) return Nothing{};
    if (got < 0) return fail("recvmsg", "netlink");
    if (header.msg_flags & MSG_TRUNC) return Error{"recvmsg", EMSGSIZE, "netlink"};
  }
}

Result<> exchange(int fd, const uint8_t* part, size_t length, std::vector<uint8_t>& answers) {
  if (length == 0) return Nothing{};
  sockaddr_nl kernel{.nl_family = AF_NETLINK};
  ssize_t sent =
      retry([&] { return sendto(fd, part, length, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel); });
  if (sent < 0) return fail("sendto", "netlink");
  return drain(fd, answers);
}

bool is_dump(const nlmsghdr& header) {
  return (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP && !(header.nlmsg_flags & NLM_F_CREATE);
}

Result<> exchange_all(int fd, const std::vector<uint8_t>& batch, std::vector<uint8_t>& answers) {
  size_t start = 0;
  size_t at = 0;
  while (at < batch.size()) {
    nlmsghdr header;
    if (batch.size() - at < sizeof header) return Error{"netlink", EINVAL, "batch"};
    memcpy(&header, batch.data() + at, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > batch.size() - at) {
      return Error{"netlink", EINVAL, "batch"};
    }
    size_t next = std::min<size_t>(at + NLMSG_ALIGN(header.nlmsg_len), batch.size());
    if (is_dump(header)) {
      auto before = exchange(fd, batch.data() + start, at - start, answers);
      if (!before.ok()) return before;
      auto dump = exchange(fd, batch.data() + at, next - at, answers);
      if (!dump.ok()) return dump;
      start = next;
    }
    at = next;
  }
  return exchange(fd, batch.data() + start, at - start, answers);
}

Result<Fd> open_socket(int protocol, int fd) {
  Fd opened;
  auto entered = in_namespace(fd, [&]() -> Result<> {
    opened = Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
    if (!opened) return fail("socket", "AF_NETLINK");
    return Nothing{};
  });
  if (!entered.ok()) return entered.error();
  set_option(opened.get(), SOL_NETLINK, NETLINK_EXT_ACK, 1);
  set_option(opened.get(), SOL_NETLINK, NETLINK_CAP_ACK, 1);
  return opened;
}

Result<std::vector<uint8_t>> converse(const Fd& socket, const std::vector<uint8_t>& batch) {
  // Past the socket's buffer a batch is refused (EMSGSIZE) and acknowledgements are lost (ENOBUFS), netlink(7).
  int room = static_cast<int>(std::max<size_t>(batch.size() * 2, 1 << 20));
  set_option(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, room);
  set_option(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, 8 * room);
  std::vector<uint8_t> answers;
  auto result = exchange_all(socket.get(), batch, answers);
  if (!result.ok()) return result.error();
  return answers;
}

}  // namespace

Result<std::vector<uint8_t>> netlink(int protocol, int fd, const std::vector<uint8_t>& batch) {
  if (protocol != NETLINK_NETFILTER || fd >= 0) {
    auto opened = open_socket(protocol, fd);
    if (!opened.ok()) return opened.error();
    return converse(opened.value(), batch);
  }
  // Closing a socket of nfnetlink waits until what any transaction deleted has passed an RCU grace period (tens of
  // milliseconds, nft_rcv_nl_event in net/netfilter/nf_tables_api.c): so the one of this namespace stays open.
  static std::mutex one_at_a_time;
  static Fd kept;
  std::lock_guard lock(one_at_a_time);
  if (!kept) {
    auto opened = open_socket(protocol, fd);
    if (!opened.ok()) return opened.error();
    kept = std::move(opened.value());
  }
  auto answers = converse(kept, batch);
  if (!answers.ok()) kept.reset();
  return answers;
}

Result<int> bind_port(bool is_tcp, const std::string& address, uint16_t port) {
  const std::string subject = address + " port " + std::to_string(port);
  sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port)};
  sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(port)};
  bool is_v6 = inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1;
  if (!is_v6 && inet_pton(AF_INET, address.c_str(), &v4.sin_addr) != 1) return Error{"inet_pton", EINVAL, address};
  Fd fd(socket(is_v6 ? AF_INET6 : AF_INET, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (!fd) return fail("socket", subject);
  if (is_v6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (!is_tcp) set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, 0);
  // Connections of an earlier server in TIME_WAIT must not stand in the way, which takes SO_REUSEADDR at bind(2). Yet
  // two sockets that both have it may share a port while neither listens, socket(7): so listen for a moment, which
  // ends the sharing of the port, then give the option back.
  bool is_shared = is_tcp && port != 0;
  if (is_shared) set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  const sockaddr* target = is_v6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  if (bind(fd.get(), target, is_v6 ? sizeof v6 : sizeof v4) < 0) return fail("bind", subject);
  if (is_shared) {
    if (listen(fd.get(), 0) < 0) return fail("listen", subject);
    if (shutdown(fd.get(), SHUT_RDWR) < 0) return fail("shutdown", subject);
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 0);
  }
  return fd.release();
}

}  // namespace stack::net
