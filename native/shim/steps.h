// Applies the steps of a process inside the child that becomes it. One loop, one switch (steps.cc); each verb is one
// system call or one sequence that must not be torn apart.
#pragma once

#include <errno.h>
#include <sys/types.h>

#include <utility>
#include <vector>

#include "shim/program.h"

namespace stack::shim {

// What a child tells the shim over its report socket (SOCK_SEQPACKET). `fd` messages carry the terminal's master.
struct Report {
  enum Kind : uint32_t { kCreated = 1, kFailed = 2, kWarning = 3, kTerminal = 4, kChild = 5, kSync = 6 };
  uint32_t kind;
  int32_t number;  // errno, or a pid for kChild
  char step[24];
  char subject[200];
};

struct Rights {  // capabilities(7)
  uint64_t effective, permitted, inheritable;
};

struct Limit {  // getrlimit(2)
  uint32_t resource;
  uint64_t soft, hard;
  const char* name;
};

struct Process {
  int report = -1;                   // this side of the report socket
  const std::vector<int>* fds = {};  // descriptors the program names by index
  int stdio[3] = {-1, -1, -1};       // -1: /dev/null
  int container = -1;                // pidfd of the container's first process, for kJoinContainer
  int root = -1;                     // the container's root directory once kOverlay, kBindRoot or kJoinContainer made it
  int host_proc = -1;                // the procfs this process was born with: no container has put anything over it
  int start_socket = -1;             // listens for the order to start; -1: it comes over the report socket
  int seccomp_socket = -1;           // takes the descriptor of a filter that notifies
  pid_t host_pid = 0;                // as the caller's pid namespace has it
  bool has_monitor = true;           // ends with the shim
  bool keeps_groups = false;         // the caller's, which it may not drop itself
  Rights rights{};                   // what it shall have
  bool holds_more = false;           // than that, until its filter is loaded
  bool has_terminal = false;         // its streams are a terminal that its session shall control
  std::vector<Limit> limits;         // set once its way there needs no more: see settle_files
  bool is_settled = false;           // see settle_files
  std::vector<int> sources;          // detached mounts, by the order of kSource
  std::vector<std::pair<const char*, int>> mounted;  // by their targets, those that a later step changes
  std::vector<int> files;            // descriptors the command gets from 3 on
  Reader rest;                       // the steps after the present one
  std::vector<int> labels;           // files that take the labels of `rest`, once host_proc is closed
  Report failure{};
};

// Clones the process that applies `steps`, with the flags and the cgroup its first step names; that step is taken off.
// The child finds every descriptor still open. -1 with errno set on failure.
pid_t clone_process(Reader& steps, int& pidfd);
// What the shim holds must not be open in a container, not even before its exec: a copy of a client's socket or pipe
// would keep its other end from seeing the end.
void close_all_except(std::vector<int> keep);

// report.cc. Records a failure with the present errno; always false.
bool failed(Process& process, const char* step, const char* subject = "");
void warn(Process& process, const char* step, const char* subject);
void send_report(Process& process, Report::Kind kind, int number, const char* step, const char* subject, int fd = -1);

// Applies every step; returns only on failure, which it has reported.
void run(Process& process, Reader steps);

// Closes the host's procfs, before processes of the container can see this one: with CAP_SYS_PTRACE they may open what it
// has open, whatever it says of its being dumpable (ptrace(2), "Ptrace access mode checking"). From there it is one
// step to the host's root.
void leave_host_proc(Process& process);
bool write_host_proc(Process& process, const char* step, const char* path, const char* text);
// paths.cc. Paths are resolved inside process.root by openat2(2); a missing target is made.
enum class Make { kNothing, kDirectory, kFile };
int open_in_root(Process& process, const char* path, Make make, uint64_t resolve = 0);
int resolve_in(int root, const char* path, uint64_t flags, uint64_t resolve);
// The directory that holds the last component of `path`, made with those above it; `name` is that component.
int open_parent(Process& process, char* path, uint64_t resolve, const char*& name);

// mounts.cc
struct MountAttributes {  // struct mount_attr, mount_setattr(2)
  uint64_t set, clear, propagation, userns;
};
int set_attributes(int fd, bool recursive, MountAttributes attributes);
int open_tree_clone(int dirfd, const char* path, bool recursive);
int move_to(int mount, int target);
bool overlay(Process& process, Reader& body);
bool bind_root(Process& process, Reader& body);
bool mount_filesystem(Process& process, Reader& body);
bool reconfigure(Process& process, Reader& body);
bool change_attributes(Process& process, Reader& body);
bool open_source(Process& process, Reader& body, bool is_beneath);
bool bind(Process& process, Reader& body);

// places.cc
bool make_device(Process& process, Reader& body);
bool make_symlink(Process& process, Reader& body);
bool mask(Process& process, const char* path);
bool make_readonly(Process& process, const char* path);
bool write_sysctl(Process& process, const char* path, const char* value);
bool make_readonly_root(Process& process);
bool pivot(Process& process);
bool move_root(Process& process);
bool change_root(Process& process);

// copy.cc: everything below `from` into the empty directory `to`, as tmpcopyup wants it.
bool copy_tree(int from, int to);

// namespaces.cc
bool enter_user_namespace(Process& process, Reader& body);
bool join_namespace(Process& process, Reader& body);
bool fork_again(Process& process);
bool join_container(Process& process, Reader& body);
// A descriptor of a user namespace with these maps that holds no process.
int make_user_namespace(Process& process, const char* uid_map, const char* gid_map);

// hooks.cc
bool run_hook(Process& process, Reader& body);

// credentials.cc
void drop_groups(Process& process);
bool set_user(Process& process, Reader& body);
bool drop_bounding(Process& process, uint64_t keep);
bool set_capabilities(Process& process, Reader& body);
bool load_seccomp(Process& process, Reader& body);
bool connect_listener(Process& process, const char* path);
bool set_rlimit(Process& process, Reader& body);

// execute.cc
bool await_start(Process& process);
bool become_init(Process& process);
bool choose_files(Process& process, Reader& body);
// Puts the descriptors of the command into their places, marks all others to be closed, and sets the limits that waited. Once.
bool settle_files(Process& process);
bool look_up(Process& process, Reader& body);
bool execute(Process& process, Reader& body);

// scheduling.cc
bool set_scheduler(Process& process, Reader& body);
bool set_io_priority(Process& process, uint32_t value);
bool set_affinity(Process& process, Reader& body);
bool set_memory_policy(Process& process, Reader& body);

// terminal.cc
bool open_terminal(Process& process, Reader& body);
bool start_session(Process& process);

}  // namespace stack::shim
