#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef FSOPEN_CLOEXEC  // glibc before 2.36 has no declarations of the new mount calls
#include <linux/mount.h>
#endif

#include "core/fd.h"
#include "shim/steps.h"

namespace stack::shim {

namespace {

// In a user namespace nobody may make device nodes: the host's own of that number is bound in its place.
bool bind_device(Process& process, const char* path, dev_t number) {
  Fd tree(open_tree_clone(AT_FDCWD, path, false));
  struct stat info{};
  if (!tree || fstat(tree.get(), &info) != 0) return failed(process, "bind device", path);
  if (info.st_rdev != number) return errno = ENODEV, failed(process, "bind device", path);
  Fd place(open_in_root(process, path, Make::kFile));
  return (place && move_to(tree.get(), place.get()) == 0) || failed(process, "bind device", path);
}

}  // namespace

bool make_device(Process& process, Reader& body) {
  const char* path = body.string();
  uint32_t mode = body.u32();
  uint32_t major_number = body.u32();
  dev_t number = makedev(major_number, body.u32());
  uint32_t uid = body.u32();
  uint32_t gid = body.u32();
  if (body.bad()) return errno = EPROTO, failed(process, "mknod");
  char copy[4096];
  snprintf(copy, sizeof copy, "%s", path);
  const char* name;
  Fd parent(open_parent(process, copy, 0, name));
  if (!parent) return failed(process, "mknod", path);
  if (mknodat(parent.get(), name, mode, number) != 0) {
    if (errno == EPERM && !S_ISFIFO(mode)) return bind_device(process, path, number);
    // A root that was used before, or an image that brings the node: good where it is the very one.
    struct stat info{};
    int refusal = errno;
    bool is_there = refusal == EEXIST && fstatat(parent.get(), name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_there || (info.st_mode & S_IFMT) != (mode & S_IFMT) || (!S_ISFIFO(mode) && info.st_rdev != number)) {
      return errno = refusal, failed(process, "mknod", path);
    }
  }
  return fchownat(parent.get(), name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0 || failed(process, "chown", path);
}

bool make_symlink(Process& process, Reader& body) {
  const char* target = body.string();
  const char* path = body.string();
  char copy[4096];
  snprintf(copy, sizeof copy, "%s", path);
  const char* name;
  Fd parent(open_parent(process, copy, 0, name));
  return (parent && (symlinkat(target, parent.get(), name) == 0 || errno == EEXIST)) || failed(process, "symlink", path);
}

bool mask(Process& process, const char* path) {
  Fd place(open_in_root(process, path, Make::kNothing));
  if (!place) return errno == ENOENT || errno == ENOTDIR || failed(process, "mask", path);
  struct stat info{};
  if (fstat(place.get(), &info) != 0) return failed(process, "mask", path);
  Fd cover;
  if (S_ISDIR(info.st_mode)) {
    Fd context(static_cast<int>(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
    if (!context || syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "size", "0", 0) != 0 ||
        syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
      return failed(process, "mask", path);
    }
    cover = Fd(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY)));
  } else {
    // The host's own null device, never the container's: a container could have put something else there.
    cover = Fd(open_tree_clone(AT_FDCWD, "/dev/null", false));
  }
  if (!cover || move_to(cover.get(), place.get()) != 0) return failed(process, "mask", path);
  return true;
}

bool make_readonly(Process& process, const char* path) {
  Fd place(open_in_root(process, path, Make::kNothing));
  if (!place) return errno == ENOENT || errno == ENOTDIR || failed(process, "read-only path", path);
  Fd tree(open_tree_clone(place.get(), "", true));
  if (!tree || set_attributes(tree.get(), true, {.set = MOUNT_ATTR_RDONLY}) != 0 ||
      move_to(tree.get(), place.get()) != 0) {
    return failed(process, "read-only path", path);
  }
  return true;
}

// Of the procfs at /proc itself, which begins with its own root: neither a symlink nor a mount in the way may lead the
// write to another file, not even to one of procfs (CVE-2025-52881).
bool write_sysctl(Process& process, const char* path, const char* value) {
  constexpr const char* kProc = "/proc";
  constexpr ino_t kProcRoot = 1;  // PROC_ROOT_INO of fs/proc
  Fd proc(resolve_in(process.root, kProc, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS));
  struct stat info{};
  struct statfs where{};
  if (!proc || fstat(proc.get(), &info) != 0 || fstatfs(proc.get(), &where) != 0) return failed(process, "sysctl", path);
  if (where.f_type != PROC_SUPER_MAGIC || info.st_ino != kProcRoot) return errno = EPERM, failed(process, "sysctl", path);
  Fd file(resolve_in(proc.get(), path + strlen(kProc), O_WRONLY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
  auto size = static_cast<ssize_t>(strlen(value));
  return (file && write(file.get(), value, size) == size) || failed(process, "sysctl", path);
}

bool make_readonly_root(Process& process) {
  return set_attributes(process.root, false, {.set = MOUNT_ATTR_RDONLY}) == 0 || failed(process, "read-only root");
}

namespace {

bool open_new_root(Process& process) {
  leave_host_proc(process);
  for (auto& [target, mount] : process.mounted) close(mount);
  process.mounted.clear();
  if (chdir("/") != 0) return failed(process, "chdir", "/");
  close(process.root);
  process.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return process.root >= 0 || failed(process, "open", "/");
}

}  // namespace

bool pivot(Process& process) {
  Fd old(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!old || fchdir(process.root) != 0) return failed(process, "chdir", "rootfs");
  if (syscall(SYS_pivot_root, ".", ".") != 0) return failed(process, "pivot_root");
  // What of the old root is detached must not be unmounted on the host with it. Named by a descriptor: "." would be the
  // new root, which the old one lies on, and mounts that are to be shared would no longer be.
  if (fchdir(old.get()) != 0) return failed(process, "chdir", "old root");
  if (mount(nullptr, ".", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return failed(process, "propagation", "old root");
  if (umount2(".", MNT_DETACH) != 0) return failed(process, "umount", "old root");
  return open_new_root(process);
}

// Where pivot_root(2) cannot be had: on the initial ramfs.
bool move_root(Process& process) {
  if (fchdir(process.root) != 0) return failed(process, "chdir", "rootfs");
  if (mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) return failed(process, "move", "rootfs");
  if (chroot(".") != 0) return failed(process, "chroot", "rootfs");
  return open_new_root(process);
}

// Without a mount namespace of its own the root of the others must stay.
bool change_root(Process& process) {
  if (fchdir(process.root) != 0 || chroot(".") != 0) return failed(process, "chroot", "rootfs");
  return open_new_root(process);
}

}  // namespace stack::shim
