// Lines on their way to a log daemon, besides the log that is kept (log.h): a datagram each, or a line of a stream. What
// surrounds a line was decided by TypeScript; its bytes are copied, never interpreted but for '\n'. A daemon that does
// not take them never holds up the container: what it has no room for is passed over.
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include <vector>

#include "core/fd.h"
#include "shim/log.h"
#include "shim/program.h"

namespace stack::shim {

// kForward of the program. A message is head[stream], the time, middle, the line, tail.
struct ForwardSettings {
  uint32_t type = 0;  // SOCK_DGRAM or SOCK_STREAM; 0: nobody is told
  Reader address;     // struct sockaddr
  uint32_t time = 0;  // 0: none; 1: RFC 3164; 2: RFC 5424 by seconds, 3: by microseconds
  int64_t zone = 0;   // seconds east of Greenwich, for RFC 3164
  Reader head[2];
  Reader middle;
  Reader tail;
};

class Forward {
 public:
  void open(const ForwardSettings& settings) { settings_ = settings; }
  void write(Stream stream, const char* bytes, size_t size);
  // The stream is at its end: an unfinished line goes out, and the last ones get a moment.
  void end(Stream stream);

 private:
  void send_line(Stream stream);
  bool connect();
  bool drain(int wait_ms);

  ForwardSettings settings_;
  Fd socket_;
  int64_t retry_at_ = 0;
  std::vector<char> line_[2];
  std::vector<char> pending_;  // of a stream: what the daemon has not taken yet, whole lines but for the first
};

}  // namespace stack::shim
