// Netlink transport and port reservation. Messages are made and read elsewhere; here they only travel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace stack::net {

// Sends `batch` on a socket of `protocol` in the namespace `fd` (-1: the caller's) and answers every message that
// came back. Messages asking for a dump travel alone, as a socket has room for one dump at a time.
Result<std::vector<uint8_t>> netlink(int protocol, int fd, const std::vector<uint8_t>& batch);

// A socket bound to `address` (numeric IPv4 or IPv6) and `port` (0: any free one), never listening, that nobody else
// can bind beside, not even with SO_REUSEADDR.
Result<int> bind_port(bool is_tcp, const std::string& address, uint16_t port);

}  // namespace stack::net
