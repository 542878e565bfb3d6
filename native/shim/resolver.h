// The container's name server: a child of the shim without rights, listening in the container's network namespace.
//
// The shim calls, in this order:
//   resolver_listen()   sockets on 127.0.0.11:61053, made in the container's namespace
//   resolver_spawn()    forks the child; keep the listeners open to spawn again should the child ever die
//   resolver_broker()   whenever the broker descriptor polls readable
// The child never makes a socket itself: its seccomp filter has no socket(2), connect(2) or open(2). It asks the shim,
// with one byte that is an index, for a socket connected to one of the upstreams of the configuration, made in the
// host's network namespace. So whoever took the child over from inside the container reaches the upstreams, and nothing
// else. When the shim goes, the child gets SIGKILL (PR_SET_PDEATHSIG) and sees the broker's end of file.
//
// ---- Table of names: <run>/networks/<network>.names ----
// Written by the engine, in place, while resolvers have it mapped (tmpfs, MAP_SHARED). All numbers little endian.
//
//   offset    size        header
//   0         8           "STKNAMES"
//   8         4           version: 1
//   12        4           buffer size B in bytes: a multiple of 8, at most 64 MiB (any size that holds the names)
//   16        8           generation G; the current buffer is number G mod 2
//   24        …4095       zero
//   4096      65536       live: one byte per slot, 1 while the container of that endpoint runs (set by its shim)
//   69632     B           buffer 0
//   69632+B   B           buffer 1
//
// The file has exactly 69632+2B bytes from the start (ftruncate: sparse) and never shrinks; it never grows either, so B
// is chosen generously (1 MiB holds about 10,000 names, and costs nothing until it is used). To publish: write the
// whole buffer (G+1) mod 2, then the 8 bytes of generation G+1. A reader copies out, then reads the generation again,
// and starts over where it moved. A new file is written elsewhere and renamed into place.
//
//   a buffer:
//   0         4           number of keys K
//   4         4           number of records R
//   8         4           bytes of names N
//   12        4           zero
//   16        16·K        keys, sorted by name (bytes compared as unsigned, a prefix first)
//   16+16·K   24·R        records, those of one key in a row
//   …         N           names
//
//   a key:    u32 offset in names, u16 length, u16 zero, u32 first record, u32 records
//   a record: u16 type (1 A, 28 AAAA, 12 PTR), u16 slot, u16 flags, u16 length of the PTR's name, 16 bytes of data:
//             A: the 4 address bytes in network order; AAAA: 16 address bytes; PTR: u32 offset in names of its target
//   flags:    1 = always live, whatever the slot says (a gateway, say)
//
// Names are lower-cased, in presentation form, without the final dot: `web`, `demo-web-1`, `2.0.18.172.in-addr.arpa`,
// `….ip6.arpa`; labels of 1–63 bytes, 253 bytes at most. What breaks these rules is not found, never harmful.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace stack {

inline constexpr uint16_t resolver_port = 61053;
inline constexpr uint32_t resolver_address = 0x7f00000b;  // 127.0.0.11
inline constexpr size_t max_upstreams = 3;
inline constexpr size_t max_name_tables = 32;
inline constexpr size_t max_name_links = 64;

// A mapped table. Lookups check every offset against `size`.
struct NameTable {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
};

// A name that this one container has for another name of its tables. Both as in the tables, at most 253 bytes.
struct NameLink {
  const char* alias = nullptr;
  const char* target = nullptr;
};

union Upstream {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

struct ResolverConfig {
  int udp_fd = -1;  // from resolver_listen()
  int tcp_fd = -1;
  // One per network of the container, in the order they are asked; the first that knows a name answers.
  NameTable tables[max_name_tables];
  size_t table_count = 0;
  NameLink links[max_name_links];
  size_t link_count = 0;
  Upstream upstreams[max_upstreams];
  size_t upstream_count = 0;
  // False for a container that is on internal networks only: names not in the tables do not exist.
  bool forward = true;
};

// Maps a table read-only, shared. `fd` may be closed afterwards. False with errno set: not ours (EINVAL), or mmap(2)
// failed.
bool name_table_map(int fd, NameTable& table);

// Takes the mapping away again.
void name_table_unmap(NameTable& table);

// Marks an endpoint's slot in a table opened for writing. Cheap enough for every start and exit.
bool name_table_set_live(int fd, uint16_t slot, bool is_live);

// Reads `1.2.3.4` or `fe80::1` (no scope) into an upstream. False where it is no address.
bool upstream_parse(const char* text, uint16_t port, Upstream& upstream);

// Binds UDP and listens on TCP at 127.0.0.11:61053 in the namespace `netns_fd`, then returns to the caller's own. The
// caller must be single-threaded. Sets the namespace's loopback link up. False with errno set and nothing left open.
bool resolver_listen(int netns_fd, int& udp_fd, int& tcp_fd);

// Forks the child; the caller handles no signal by function. `broker_fd`: the shim's end (SOCK_SEQPACKET, non-blocking,
// close-on-exec), to poll for POLLIN. Returns the child's pid, or -1 with errno set.
pid_t resolver_spawn(const ResolverConfig& config, int& broker_fd);

// Serves what the child asks for, without blocking. False once the child has gone (close the descriptor then).
bool resolver_broker(int broker_fd, const ResolverConfig& config);

}  // namespace stack
