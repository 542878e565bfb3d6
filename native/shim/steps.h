// Applies the steps of a process inside the child that becomes it. One loop, one switch (steps.cc); each verb is one
// system call or one sequence that must not be torn apart.
#pragma once

#include <errno.h>
#include <sys/types.h>

#include <vector>

#include "shim/program.h"

namespace stack::shim {

// What a child tells the shim over its report socket (SOCK_SEQPACKET). `fd` messages carry the terminal's master.
struct Report {
  enum Kind : uint32_t { kCreated = 1, kFailed = 2, kWarning = 3, kTerminal = 4, kChild = 5 };
  uint32_t kind;
  int32_t number;  // errno, or a pid for kChild
  char step[24];
  char subject[200];
};

struct Process {
  int report = -1;                   // this side of the report socket
  const std::vector<int>* fds = {};  // descriptors the program names by index
  int stdio[3] = {-1, -1, -1};       // -1: /dev/null
  int container = -1;                // pidfd of the container's first process, for kJoinContainer
  int root = -1;                     // the container's root directory once kOverlay, kBindRoot or kJoinContainer made it
  Report failure{};
};

// Records a failure with the present errno; always false.
bool failed(Process& process, const char* step, const char* subject = "");
void warn(Process& process, const char* step, const char* subject);

// Applies every step; returns only on failure, which it has reported.
void run(Process& process, Reader steps);

// mounts.cc. Paths are resolved inside process.root by openat2(2); a missing target is made.
enum class Make { kNothing, kDirectory, kFile };
int open_in_root(Process& process, const char* path, Make make, uint64_t resolve = 0);
bool overlay(Process& process, Reader& body);
bool bind_root(Process& process, Reader& body);
bool mount_filesystem(Process& process, Reader& body);
bool bind(Process& process, Reader& body);
bool make_device(Process& process, Reader& body);
bool make_symlink(Process& process, Reader& body);
bool mask(Process& process, const char* path);
bool make_readonly(Process& process, const char* path);
bool write_sysctl(Process& process, const char* path, const char* value);
bool make_readonly_root(Process& process);
bool pivot(Process& process);

// credentials.cc
bool set_user(Process& process, Reader& body);
bool drop_bounding(Process& process, uint64_t keep);
bool set_capabilities(Process& process, Reader& body);
bool load_seccomp(Process& process, Reader& body);
bool set_rlimit(Process& process, Reader& body);

// terminal.cc
bool open_terminal(Process& process, Reader& body);

}  // namespace stack::shim
