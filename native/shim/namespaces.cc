#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/result.h"
#include "shim/steps.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

namespace stack::shim {

namespace {

bool write_at(int directory, const char* path, const char* text) {
  Fd file(openat(directory, path, O_WRONLY | O_CLOEXEC));
  auto size = static_cast<ssize_t>(strlen(text));
  return file && write(file.get(), text, size) == size;
}

// uid_map and gid_map of the process `pid`, as the host has it (user_namespaces(7)).
bool write_maps(int proc, pid_t pid, const char* uid_map, const char* gid_map) {
  char path[64];
  snprintf(path, sizeof path, "%d/uid_map", pid);
  if (!write_at(proc, path, uid_map)) return false;
  snprintf(path, sizeof path, "%d/gid_map", pid);
  return write_at(proc, path, gid_map);
}

// What a forked child answers with: 0, or an errno.
int answer_of(pid_t child) {
  int status = 0;
  if (retry([&] { return waitpid(child, &status, 0); }) != child) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : ECANCELED;
}

}  // namespace

// The maps are written by a child that stays behind with the host's rights: this process has none of them any more once
// it is in its new namespace.
bool enter_user_namespace(Process& process, Reader& body) {
  const char* uid_map = body.string();
  const char* gid_map = body.string();
  if (body.bad()) return errno = EPROTO, failed(process, "user namespace");
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return failed(process, "socketpair", "user namespace");
  Fd ours(ends[0]), theirs(ends[1]);
  pid_t self = getpid();
  pid_t helper = fork();
  if (helper < 0) return failed(process, "fork", "user namespace");
  if (helper == 0) {
    ours.reset();
    char byte;
    if (read(theirs.get(), &byte, 1) != 1) _exit(ECANCELED);
    _exit(write_maps(process.host_proc, self, uid_map, gid_map) ? 0 : errno);
  }
  theirs.reset();
  if (unshare(CLONE_NEWUSER) != 0) {
    int number = errno;
    ours.reset();
    answer_of(helper);
    return errno = number, failed(process, "unshare", "user namespace");
  }
  if (write(ours.get(), "", 1) != 1) return failed(process, "write", "user namespace");
  int number = answer_of(helper);
  if (number) return errno = number, failed(process, "write", "uid_map and gid_map");
  // Whoever owns what is mounted and made from here on: the namespace's root, where it has one.
  if (setresgid(0, 0, 0) != 0 && errno != EINVAL) return failed(process, "setresgid", "user namespace");
  if (setresuid(0, 0, 0) != 0 && errno != EINVAL) return failed(process, "setresuid", "user namespace");
  return true;
}

int make_user_namespace(Process& process, const char* uid_map, const char* gid_map) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return failed(process, "socketpair", "idmap"), -1;
  Fd ours(ends[0]), theirs(ends[1]);
  clone_args args{.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  auto child = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (child < 0) return failed(process, "clone", "idmap"), -1;
  if (child == 0) {
    ours.reset();
    char byte;
    _exit(read(theirs.get(), &byte, 1) == 1 ? 0 : 1);
  }
  theirs.reset();
  char path[64];
  snprintf(path, sizeof path, "%d/ns/user", child);
  Fd users;
  if (write_maps(process.host_proc, child, uid_map, gid_map)) users = Fd(openat(process.host_proc, path, O_RDONLY | O_CLOEXEC));
  int number = errno;
  ours.reset();
  answer_of(child);
  if (!users) errno = number, failed(process, "write", "uid_map and gid_map of a mount");
  return users.release();
}

bool join_namespace(Process& process, Reader& body) {
  const char* path = body.string();
  auto type = static_cast<int>(body.u32());
  if (body.bad()) return errno = EPROTO, failed(process, "setns");
  Fd file(open(path, O_RDONLY | O_CLOEXEC));
  struct statfs where{};
  if (!file || fstatfs(file.get(), &where) != 0) return failed(process, "open namespace", path);
  if (where.f_type != NSFS_MAGIC) return errno = EINVAL, failed(process, "open namespace", path);
  if (setns(file.get(), type) != 0) return failed(process, "setns", path);
  if (type != CLONE_NEWUSER) return true;
  if (setresgid(0, 0, 0) != 0 && errno != EINVAL) return failed(process, "setresgid", "user namespace");
  if (setresuid(0, 0, 0) != 0 && errno != EINVAL) return failed(process, "setresuid", "user namespace");
  return true;
}

// A pid or time namespace holds children only. CLONE_PARENT makes the new one a child of the shim.
bool fork_again(Process& process) {
  clone_args args{.flags = CLONE_PARENT};  // born in this one's cgroups
  // Waits until its pid is known: the child could not tell it from inside.
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return failed(process, "socketpair", "fork");
  Fd ours(ends[0]), theirs(ends[1]);
  auto pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  // A filter that is in force already may refuse clone3, whose flags it cannot see.
  if (pid < 0 && (errno == ENOSYS || errno == EPERM)) pid = static_cast<pid_t>(syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0));
  if (pid < 0) return failed(process, "clone", "namespaces");
  if (pid > 0) {
    send_report(process, Report::kChild, pid, "", "");
    if (write(ours.get(), &pid, sizeof pid) != sizeof pid) _exit(127);
    _exit(0);
  }
  ours.reset();
  if (read(theirs.get(), &process.host_pid, sizeof process.host_pid) != sizeof process.host_pid) _exit(127);
  return true;
}

// Enters the namespaces of the container's first process, and its root where no mount namespace brings that along. The pid
// namespace takes the child of a later fork: who looks into the processes of the container sees this one then, and not
// before it has given up its rights (CVE-2016-9962; with CAP_SYS_PTRACE it may take it over, dumpable or not).
bool join_container(Process& process, Reader& body) {
  uint32_t flags = body.u32(), root = body.u32();
  if (body.bad() || (root != ~0U && root >= process.fds->size())) return errno = EPROTO, failed(process, "setns", "container");
  leave_host_proc(process);
  if (flags && syscall(SYS_setns, process.container, flags) != 0) return failed(process, "setns", "container");
  if (root != ~0U && (fchdir((*process.fds)[root]) != 0 || chroot(".") != 0)) return failed(process, "chroot", "container");
  process.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (process.root < 0) return failed(process, "open", "/");
  if (!(flags & CLONE_NEWPID)) send_report(process, Report::kChild, process.host_pid, "", "");
  return true;
}

}  // namespace stack::shim
