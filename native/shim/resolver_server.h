// The loop of the resolver's child. All its state has a fixed size: what does not fit is refused, and a page nobody
// needed is never touched.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>

#include "shim/dns.h"
#include "shim/resolver.h"

namespace stack {

// What the child asks of the shim, and the answer: the same bytes back with a connected socket, or without where that
// failed.
struct BrokerMessage {
  uint8_t upstream;
  uint8_t is_tcp;
  // Tells a late answer from the awaited one.
  uint16_t serial;
};

class ResolverServer {
 public:
  // Never returns: the process ends once the broker does.
  [[noreturn]] static void run(const ResolverConfig& config, int udp_fd, int tcp_fd, int broker_fd);

 private:
  static constexpr size_t max_connections = 16, max_pending = 128, max_transfers = 8, max_outstanding = 16;
  static constexpr int64_t upstream_timeout_ms = 1500, idle_timeout_ms = 10'000, broker_timeout_ms = 300;

  // Who asked: a UDP peer, or a connection that still has the serial number.
  struct Client {
    int connection;
    // 0 for a UDP peer.
    uint32_t serial;
    sockaddr_in from;
  };

  // Free where `serial` is 0.
  struct Connection {
    int fd;
    uint32_t serial;
    int64_t deadline;
    uint16_t have;
    uint8_t outstanding;
    bool is_ended;
    uint8_t input[2 + dns::max_query];
  };

  // A query on its way to an upstream. A slot is free where `size` is 0.
  struct Pending {
    int fd;
    uint8_t upstream;
    int8_t transfer;
    bool is_sent;
    uint16_t client_id;
    uint16_t size;
    int64_t deadline;
    Client client;
    dns::Query query;
    uint8_t message[2 + dns::max_query];
  };

  // A reply that arrives by TCP, in pieces.
  struct Transfer {
    bool is_used;
    size_t have;
    uint8_t bytes[2 + dns::max_message];
  };

  void loop();
  void sweep(int64_t now);
  void accept_connections(int64_t now);
  void read_datagrams();
  void read_connection(Connection& connection, int64_t now);
  void close_connection(Connection& connection);
  void serve(const uint8_t* bytes, size_t size, const Client& client);
  void refuse(const dns::Query& query, const uint8_t* bytes, dns::Rcode rcode, const Client& client);
  void reply(const Client& client, uint8_t* bytes, size_t size);
  void forward(const dns::Query& query, const uint8_t* bytes, size_t size, const Client& client);
  void ask_next(Pending& pending);
  void read_upstream(Pending& pending);
  void finish(Pending& pending, uint8_t* bytes, size_t size);
  void give_up(Pending& pending);
  void release(Pending& pending);
  int upstream_socket(uint8_t upstream, bool is_tcp);
  int receive_broker(BrokerMessage& answer);
  uint16_t random_id();

  const ResolverConfig* config_;
  int udp_fd_, tcp_fd_, broker_fd_;
  uint32_t rotation_, serial_;
  uint16_t broker_serial_;
  int64_t broker_retry_at_;
  Connection connections_[max_connections];
  Pending pending_[max_pending];
  Transfer transfers_[max_transfers];
  uint8_t input_[dns::max_message];
  // Two bytes of length in front, for TCP.
  uint8_t output_[2 + dns::max_message];
};

}  // namespace stack
