#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"
#include "shim/steps.h"

#ifndef OPEN_TREE_CLONE
#include <linux/mount.h>
#endif

namespace stack::shim {

namespace {

constexpr long kDevptsMagic = 0x1cd1;

}  // namespace

// A terminal of the container's own devpts, so that ttyname(3) works inside. The slave comes from TIOCGPTPEER, not by
// its name, which the container could have covered.
bool open_terminal(Process& process, Reader& body) {
  bool is_console = body.u32() != 0;
  winsize size{.ws_row = body.u16(), .ws_col = body.u16()};
  if (body.bad()) return errno = EPROTO, failed(process, "terminal");
  open_how how{.flags = O_RDWR | O_NOCTTY | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
  Fd master(static_cast<int>(syscall(SYS_openat2, process.root, "/dev/pts/ptmx", &how, sizeof how)));
  struct statfs where{};
  if (!master || fstatfs(master.get(), &where) != 0) return failed(process, "open", "/dev/pts/ptmx");
  if (where.f_type != kDevptsMagic) return errno = EPERM, failed(process, "open", "/dev/pts/ptmx");
  int unlock = 0;
  if (ioctl(master.get(), TIOCSPTLCK, &unlock) != 0) return failed(process, "unlock terminal");
  Fd slave(ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return failed(process, "open terminal");
  if (size.ws_row) ioctl(master.get(), TIOCSWINSZ, &size);
  if (is_console) {
    Fd place(open_in_root(process, "/dev/console", Make::kFile, RESOLVE_NO_SYMLINKS));
    Fd tree(static_cast<int>(syscall(SYS_open_tree, slave.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
    if (!place || !tree || syscall(SYS_move_mount, tree.get(), "", place.get(), "",
                                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
      return failed(process, "bind", "/dev/console");
    }
  }
  send_report(process, Report::kTerminal, 0, "", "", master.get());
  for (int fd = 0; fd < 3; fd++) {
    if (dup2(slave.get(), fd) < 0) return failed(process, "dup2", "terminal");
  }
  process.has_terminal = true;
  return true;
}

// A session of its own, which its terminal controls: of the process that executes, once it is born.
bool start_session(Process& process) {
  if (setsid() < 0 && errno != EPERM) return failed(process, "setsid");
  return !process.has_terminal || ioctl(0, TIOCSCTTY, 0) == 0 || failed(process, "controlling terminal");
}

}  // namespace stack::shim
