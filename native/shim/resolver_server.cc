#include "shim/resolver_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "core/result.h"

namespace stack {

namespace {

int64_t now_ms() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

int wait_for(pollfd* fds, nfds_t count, int64_t milliseconds) {
  timespec time{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000};
  return ppoll(fds, count, milliseconds < 0 ? nullptr : &time, nullptr);
}

}  // namespace

void ResolverServer::run(const ResolverConfig& config, int udp_fd, int tcp_fd, int broker_fd) {
  // Zero pages until used; a constructor would write all of them.
  static_assert(std::is_trivially_default_constructible_v<ResolverServer>);
  static ResolverServer server;
  server.config_ = &config;
  server.udp_fd_ = udp_fd;
  server.tcp_fd_ = tcp_fd;
  server.broker_fd_ = broker_fd;
  server.loop();
  _exit(0);
}

void ResolverServer::loop() {
  for (;;) {
    pollfd fds[3 + max_connections + max_pending];
    uint8_t owner[3 + max_connections + max_pending];
    size_t count = 0;
    int64_t now = now_ms(), wake = INT64_MAX;
    fds[count++] = {broker_fd_, POLLIN, 0};
    fds[count++] = {udp_fd_, POLLIN, 0};
    fds[count++] = {tcp_fd_, POLLIN, 0};
    for (size_t i = 0; i < max_connections; ++i) {
      Connection& connection = connections_[i];
      if (connection.serial == 0) continue;
      wake = std::min(wake, connection.deadline);
      bool is_read = !connection.is_ended && connection.outstanding < max_outstanding;
      owner[count] = static_cast<uint8_t>(i);
      fds[count++] = {connection.fd, static_cast<short>(is_read ? POLLIN : 0), 0};
    }
    size_t first_pending = count;
    for (size_t i = 0; i < max_pending; ++i) {
      Pending& pending = pending_[i];
      if (pending.size == 0) continue;
      wake = std::min(wake, pending.deadline);
      owner[count] = static_cast<uint8_t>(i);
      fds[count++] = {pending.fd, static_cast<short>(pending.is_sent ? POLLIN : POLLOUT), 0};
    }
    int ready = wait_for(fds, count, wake == INT64_MAX ? -1 : std::max<int64_t>(0, wake - now));
    if (ready < 0 && errno != EINTR) return;
    now = now_ms();
    // A slot may have changed hands since: every descriptor is non-blocking, so a stale event does nothing.
    for (size_t i = first_pending; ready > 0 && i < count; ++i)
      if (fds[i].revents && pending_[owner[i]].size && pending_[owner[i]].fd == fds[i].fd)
        read_upstream(pending_[owner[i]]);
    for (size_t i = 3; ready > 0 && i < first_pending; ++i) {
      Connection& connection = connections_[owner[i]];
      if (!fds[i].revents || connection.serial == 0 || connection.fd != fds[i].fd) continue;
      if (fds[i].revents & POLLIN)
        read_connection(connection, now);
      else
        close_connection(connection);
    }
    if (ready > 0 && fds[1].revents) read_datagrams();
    if (ready > 0 && fds[2].revents) accept_connections(now);
    // The shim says nothing unasked: it is gone.
    if (ready > 0 && fds[0].revents & (POLLHUP | POLLERR)) return;
    if (ready > 0 && fds[0].revents & POLLIN) {
      BrokerMessage late;
      if (int fd = receive_broker(late); fd >= 0) close(fd);
    }
    sweep(now);
  }
}

// Whoever's time is over: the next upstream is asked, or an idle connection closed.
void ResolverServer::sweep(int64_t now) {
  for (Pending& pending : pending_)
    if (pending.size != 0 && pending.deadline <= now) {
      ++pending.upstream;
      ask_next(pending);
    }
  for (Connection& connection : connections_)
    if (connection.serial != 0 && connection.deadline <= now) close_connection(connection);
}

void ResolverServer::accept_connections(int64_t now) {
  for (int budget = 0; budget < 16; ++budget) {
    int fd = accept4(tcp_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    Connection* chosen = &connections_[0];
    for (Connection& connection : connections_) {
      if (connection.serial == 0) {
        chosen = &connection;
        break;
      }
      if (connection.deadline < chosen->deadline) chosen = &connection;
    }
    // All taken: the one that was silent for longest makes room.
    if (chosen->serial != 0) close_connection(*chosen);
    if (++serial_ == 0) ++serial_;
    chosen->fd = fd;
    chosen->serial = serial_;
    chosen->deadline = now + idle_timeout_ms;
    chosen->have = 0;
    chosen->outstanding = 0;
    chosen->is_ended = false;
  }
}

void ResolverServer::close_connection(Connection& connection) {
  uint32_t serial = connection.serial;
  connection.serial = 0;
  close(connection.fd);
  for (Pending& pending : pending_)
    if (pending.size != 0 && pending.client.serial == serial) release(pending);
}

void ResolverServer::read_datagrams() {
  for (int budget = 0; budget < 32; ++budget) {
    Client client{};
    socklen_t length = sizeof client.from;
    ssize_t size = retry([&] {
      return recvfrom(udp_fd_, input_, dns::max_query + 1, 0, reinterpret_cast<sockaddr*>(&client.from), &length);
    });
    if (size < 0) return;
    serve(input_, static_cast<size_t>(size), client);
  }
}

void ResolverServer::read_connection(Connection& connection, int64_t now) {
  ssize_t got = retry([&] {
    return recv(connection.fd, connection.input + connection.have, sizeof connection.input - connection.have, 0);
  });
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    // RFC 7766 6.2.4: a client may close its half and wait for what is outstanding.
    connection.is_ended = true;
    if (got < 0 || connection.outstanding == 0) close_connection(connection);
    return;
  }
  connection.deadline = now + idle_timeout_ms;
  connection.have = static_cast<uint16_t>(connection.have + got);
  uint32_t serial = connection.serial;
  while (connection.have >= 2) {
    size_t size = dns::get16(connection.input);
    if (size < dns::header_size || size > dns::max_query) return close_connection(connection);
    if (connection.have < 2 + size) return;
    memcpy(input_, connection.input + 2, size);
    connection.have = static_cast<uint16_t>(connection.have - 2 - size);
    memmove(connection.input, connection.input + 2 + size, connection.have);
    serve(input_, size, Client{.connection = static_cast<int>(&connection - connections_), .serial = serial});
    if (connection.serial != serial) return;
  }
}

void ResolverServer::serve(const uint8_t* bytes, size_t size, const Client& client) {
  dns::Query query;
  dns::Rcode rcode;
  switch (dns::parse_query(bytes, size, query, rcode)) {
    case dns::Parsed::silent:
      return;
    case dns::Parsed::bad:
      return refuse(query, bytes, rcode, client);
    case dns::Parsed::query:
      break;
  }
  size_t capacity = client.serial ? dns::max_message : std::min<size_t>(query.udp_size, dns::max_udp_answer);
  dns::Query linked = dns::follow_link(config_->links, config_->link_count, query);
  for (size_t i = 0; i < config_->table_count; ++i) {
    size_t answer = 0;
    switch (dns::answer_from_table(config_->tables[i], linked, bytes, rotation_, output_ + 2, capacity, answer)) {
      case dns::Found::answer:
        ++rotation_;
        return reply(client, output_, answer);
      case dns::Found::busy:
        return refuse(query, bytes, dns::Rcode::server_failure, client);
      case dns::Found::unknown:
        break;
    }
  }
  // With nobody else to ask, the tables are all there is.
  if (!config_->forward || config_->upstream_count == 0) return refuse(query, bytes, dns::Rcode::no_such_name, client);
  forward(query, bytes, size, client);
}

void ResolverServer::refuse(const dns::Query& query, const uint8_t* bytes, dns::Rcode rcode, const Client& client) {
  reply(client, output_, dns::answer_status(query, bytes, rcode, output_ + 2));
}

// Sends a message that lies behind two bytes of room. A peer that does not take it at once loses it, or its connection.
void ResolverServer::reply(const Client& client, uint8_t* bytes, size_t size) {
  if (client.serial == 0) {
    auto to = reinterpret_cast<const sockaddr*>(&client.from);
    retry([&] { return sendto(udp_fd_, bytes + 2, size, MSG_NOSIGNAL, to, sizeof client.from); });
    return;
  }
  Connection& connection = connections_[client.connection];
  if (connection.serial != client.serial) return;
  dns::put16(bytes, static_cast<unsigned>(size));
  ssize_t sent = retry([&] { return send(connection.fd, bytes, size + 2, MSG_NOSIGNAL); });
  if (sent != static_cast<ssize_t>(size + 2)) close_connection(connection);
}

void ResolverServer::forward(const dns::Query& query, const uint8_t* bytes, size_t size, const Client& client) {
  Pending* pending = std::find_if(pending_, pending_ + max_pending, [](const Pending& slot) { return slot.size == 0; });
  Transfer* transfer = nullptr;
  if (client.serial != 0) {
    transfer = std::find_if(transfers_, transfers_ + max_transfers, [](const Transfer& slot) { return !slot.is_used; });
    if (transfer == transfers_ + max_transfers) return refuse(query, bytes, dns::Rcode::server_failure, client);
    if (connections_[client.connection].outstanding >= max_outstanding)
      return refuse(query, bytes, dns::Rcode::server_failure, client);
  }
  if (pending == pending_ + max_pending) return refuse(query, bytes, dns::Rcode::server_failure, client);
  pending->fd = -1;
  pending->upstream = 0;
  pending->transfer = static_cast<int8_t>(transfer ? transfer - transfers_ : -1);
  pending->client_id = query.id;
  pending->size = static_cast<uint16_t>(size);
  pending->client = client;
  pending->query = query;
  dns::put16(pending->message, static_cast<unsigned>(size));
  memcpy(pending->message + 2, bytes, size);
  if (transfer) {
    transfer->is_used = true;
    ++connections_[client.connection].outstanding;
  }
  ask_next(*pending);
}

// Asks upstream number `pending.upstream`, or those behind it; every question has a port and an id of its own.
void ResolverServer::ask_next(Pending& pending) {
  bool is_tcp = pending.transfer >= 0;
  for (; pending.upstream < config_->upstream_count; ++pending.upstream) {
    if (pending.fd >= 0) close(pending.fd);
    pending.fd = upstream_socket(pending.upstream, is_tcp);
    if (pending.fd < 0) continue;
    dns::put16(pending.message + 2, random_id());
    pending.deadline = now_ms() + upstream_timeout_ms;
    pending.is_sent = !is_tcp;
    if (is_tcp) transfers_[pending.transfer].have = 0;
    if (is_tcp || send(pending.fd, pending.message + 2, pending.size, MSG_NOSIGNAL) == pending.size) return;
  }
  give_up(pending);
}

void ResolverServer::read_upstream(Pending& pending) {
  if (pending.transfer < 0) {
    ssize_t size = retry([&] { return recv(pending.fd, output_ + 2, dns::max_message, 0); });
    if (size < 0 && errno == EAGAIN) return;
    if (size >= 0) return finish(pending, output_, static_cast<size_t>(size));
  } else if (!pending.is_sent) {
    ssize_t sent = retry([&] { return send(pending.fd, pending.message, pending.size + 2u, MSG_NOSIGNAL); });
    if (sent < 0 && errno == EAGAIN) return;
    pending.is_sent = sent == pending.size + 2;
    if (pending.is_sent) return;
  } else {
    Transfer& transfer = transfers_[pending.transfer];
    size_t whole = transfer.have < 2 ? 2 : 2u + dns::get16(transfer.bytes);
    ssize_t got = retry([&] { return recv(pending.fd, transfer.bytes + transfer.have, whole - transfer.have, 0); });
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) {
      transfer.have += static_cast<size_t>(got);
      if (transfer.have < 2 || transfer.have < 2u + dns::get16(transfer.bytes)) return;
      return finish(pending, transfer.bytes, transfer.have - 2);
    }
  }
  ++pending.upstream;
  ask_next(pending);
}

// Relays what the asked upstream said; anything else that came on its socket is left alone.
void ResolverServer::finish(Pending& pending, uint8_t* bytes, size_t size) {
  bool is_tcp = pending.transfer >= 0;
  if (!dns::is_reply(bytes + 2, size, pending.message + 2, pending.query.question_end)) {
    if (!is_tcp) return;
    ++pending.upstream;
    return ask_next(pending);
  }
  constexpr uint8_t server_failure = 2, refused = 5;
  uint8_t rcode = bytes[2 + 3] & 0x0f;
  if ((rcode == server_failure || rcode == refused) && pending.upstream + 1u < config_->upstream_count) {
    ++pending.upstream;
    return ask_next(pending);
  }
  dns::put16(bytes + 2, pending.client_id);
  Client client = pending.client;
  reply(client, bytes, size);
  // A connection that did not take it has been closed, and with it this query.
  if (pending.size != 0) release(pending);
}

void ResolverServer::give_up(Pending& pending) {
  Client client = pending.client;
  refuse(pending.query, pending.message + 2, dns::Rcode::server_failure, client);
  if (pending.size != 0) release(pending);
}

void ResolverServer::release(Pending& pending) {
  if (pending.fd >= 0) close(pending.fd);
  pending.fd = -1;
  pending.size = 0;
  if (pending.transfer < 0) return;
  transfers_[pending.transfer].is_used = false;
  transfers_[pending.transfer].have = 0;
  Connection& connection = connections_[pending.client.connection];
  if (connection.serial != pending.client.serial) return;
  --connection.outstanding;
  if (connection.is_ended && connection.outstanding == 0) close_connection(connection);
}

int ResolverServer::upstream_socket(uint8_t upstream, bool is_tcp) {
  int64_t now = now_ms();
  if (now < broker_retry_at_) return -1;
  BrokerMessage question{.upstream = upstream, .is_tcp = is_tcp, .serial = ++broker_serial_};
  if (send(broker_fd_, &question, sizeof question, MSG_NOSIGNAL) != sizeof question) return -1;
  for (int64_t end = now + broker_timeout_ms; now < end; now = now_ms()) {
    pollfd wait{broker_fd_, POLLIN, 0};
    if (wait_for(&wait, 1, end - now) <= 0) continue;
    BrokerMessage answer;
    int fd = receive_broker(answer);
    if (answer.serial == question.serial) return fd;
    if (fd >= 0) close(fd);
  }
  // A shim that is busy with something else: queries fail fast for a while instead of queueing up behind each other.
  broker_retry_at_ = now + 1000;
  return -1;
}

// What the shim sent: a socket or -1, and what it is an answer to. The process ends where the shim has.
int ResolverServer::receive_broker(BrokerMessage& answer) {
  answer = {};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec data{&answer, sizeof answer};
  msghdr message{.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(broker_fd_, &message, MSG_CMSG_CLOEXEC);
  if (got == 0) _exit(0);
  int fd = -1;
  cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

// Not getrandom(3): since glibc 2.41 it maps memory for itself, which the filter forbids.
uint16_t ResolverServer::random_id() {
  uint16_t id = 0;
  while (syscall(SYS_getrandom, &id, sizeof id, 0) != sizeof id) {
  }
  return id;
}

}  // namespace stack
