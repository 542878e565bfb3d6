// DNS messages as the resolver needs them (RFC 1035, RFC 6891), and answers out of a table of names. No system calls:
// bytes in, bytes out, every access checked, nothing allocated. Fuzzed by native/test/fuzz_dns.cc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/resolver.h"

namespace stack::dns {

inline constexpr size_t header_size = 12;
inline constexpr size_t max_name = 253;
// A question is all that a query needs; the rest is room for EDNS options.
inline constexpr size_t max_query = 1024;
inline constexpr size_t max_message = 65535;
// Largest answer by UDP, whatever the client offers: no fragments on an Ethernet (RFC 9715).
inline constexpr size_t max_udp_answer = 1400;
// Seconds. The table is as near as any cache and changes with every start and exit, so nobody should remember it for
// long.
inline constexpr uint32_t time_to_live = 1;

enum class Type : uint16_t { a = 1, ptr = 12, aaaa = 28, opt = 41 };
enum class Rcode : uint8_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  no_such_name = 3,
  not_implemented = 4
};

struct Query {
  uint16_t id;
  uint16_t flags;
  uint16_t type;
  uint16_t qclass;
  // Offset behind the question; the header's 12 where it could not be read.
  uint16_t question_end;
  // Bytes the client takes by UDP: 512 without EDNS.
  uint16_t udp_size;
  bool has_edns;
  // False for names no table can hold: the root, a dot or control byte inside a label.
  bool is_plain;
  uint8_t name_length;
  // Lower-cased presentation form, no final dot.
  char name[max_name + 1];
};

enum class Parsed : uint8_t { query, bad, silent };

// `bad`: to be answered with `rcode`. `silent`: no query at all, never answered.
Parsed parse_query(const uint8_t* bytes, size_t size, Query& query, Rcode& rcode);

enum class Found : uint8_t { answer, unknown, busy };

// Writes the answer to `query` (whose message is `bytes`) of at most `capacity` bytes, records rotated by `rotation`;
// what does not fit is left out and TC set. `unknown`: no live endpoint has the name. `busy`: the writer kept changing
// the table.
Found answer_from_table(const NameTable& table, const Query& query, const uint8_t* bytes, uint32_t rotation,
                        uint8_t* out, size_t capacity, size_t& size);

// The query under the name that its own is a link to; `query` itself where there is no such link.
Query follow_link(const NameLink* links, size_t count, const Query& query);

// An answer without records. `out` holds max_query bytes.
size_t answer_status(const Query& query, const uint8_t* bytes, Rcode rcode, uint8_t* out);

// True where `reply` carries the query's id and question, as whoever was asked would send it.
bool is_reply(const uint8_t* reply, size_t reply_size, const uint8_t* query, size_t question_end);

inline uint16_t get16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }
inline void put16(uint8_t* at, unsigned value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

}  // namespace stack::dns
