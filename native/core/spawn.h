// Starting the shim, and talking to it: unix stream sockets, length-prefixed frames, descriptors by SCM_RIGHTS.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/fd.h"
#include "core/result.h"

namespace stack {

// A copy of an executable in memory that nobody can write to any more (F_SEAL_*): a container that reaches it through
// /proc/self/exe has nothing to overwrite.
Result<int> sealed_copy(const std::string& path);

// Runs `executable` with a socket at 3, the sealed program at 4 and `fds` from 5 on. Answers this side of the socket.
Result<int> spawn_shim(int executable, const std::vector<uint8_t>& program, const std::vector<int>& fds);

Result<int> connect_in(int dirfd, const std::string& name);
Result<Nothing> send_frame(int socket, const std::vector<uint8_t>& frame, const std::vector<int>& fds);

struct Received {
  bool is_end = false;
  std::vector<uint8_t> frame;
  std::vector<int> fds;
};
Result<Received> receive_frame(int socket);

Result<Nothing> close_on_exec(int from);

// Processes by descriptors that no other process can come to stand for (pidfd_open(2)).
Result<int> pidfd_open(int pid);
Result<Nothing> pidfd_signal(int fd, int signal);
// True when the process has ended, false where it has not in that time; -1 is for ever. Blocks.
Result<bool> pidfd_wait(int fd, int timeout_ms);

}  // namespace stack
