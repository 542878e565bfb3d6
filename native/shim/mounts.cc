#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
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

struct MountAttributes {  // struct mount_attr, mount_setattr(2)
  uint64_t set, clear, propagation, userns;
};

int set_attributes(int fd, bool recursive, MountAttributes attributes) {
  unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  return static_cast<int>(syscall(SYS_mount_setattr, fd, "", flags, &attributes, sizeof attributes));
}

int open_tree_clone(int dirfd, const char* path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (*path ? 0 : AT_EMPTY_PATH);
  return static_cast<int>(syscall(SYS_open_tree, dirfd, path, flags));
}

int move_to(int mount, int target) {
  return static_cast<int>(
      syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int resolve_in(int root, const char* path, uint64_t flags, uint64_t resolve) {
  open_how how{.flags = flags | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};
  return static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how));
}

// Makes the directories of `path` that are missing, one component at a time, each below a descriptor of its parent.
// Answers the parent of the last component.
int make_parents(int root, char* path, uint64_t resolve) {
  int parent = resolve_in(root, "/", O_PATH | O_DIRECTORY, 0);
  for (char* at = path; parent >= 0;) {
    while (*at == '/') at++;
    char* end = strchr(at, '/');
    if (!end || strspn(end, "/") == strlen(end)) return parent;
    *end = '\0';
    int next = resolve_in(root, path, O_PATH | O_DIRECTORY, resolve);
    if (next < 0 && errno == ENOENT && (mkdirat(parent, at, 0755) == 0 || errno == EEXIST)) {
      next = resolve_in(root, path, O_PATH | O_DIRECTORY, resolve);
    }
    *end = '/';
    close(parent);
    parent = next;
    at = end;
  }
  return parent;
}

}  // namespace

int open_in_root(Process& process, const char* path, Make make, uint64_t resolve) {
  int fd = resolve_in(process.root, path, O_PATH, resolve);
  if (fd >= 0 || errno != ENOENT || make == Make::kNothing) return fd;
  char copy[4096];
  if (snprintf(copy, sizeof copy, "%s", path) >= static_cast<int>(sizeof copy)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  for (size_t length = strlen(copy); length > 1 && copy[length - 1] == '/'; length--) copy[length - 1] = '\0';
  Fd parent(make_parents(process.root, copy, resolve));
  if (!parent) return -1;
  const char* slash = strrchr(copy, '/');
  const char* name = slash ? slash + 1 : copy;
  int made = make == Make::kDirectory ? mkdirat(parent.get(), name, 0755) : mknodat(parent.get(), name, S_IFREG | 0644, 0);
  if (made != 0 && errno != EEXIST) return -1;
  return resolve_in(process.root, path, O_PATH, resolve);
}

// Layers are named to the kernel as descriptors: no length limit of mount(2)'s page, no escaping, no renaming under us.
bool overlay(Process& process, Reader& body) {
  auto lower = body.strings();
  const char* upper = body.string();
  const char* work = body.string();
  const char* target = body.string();
  const char* options = body.string();
  if (body.bad()) return errno = EPROTO, failed(process, "overlay");
  std::vector<Fd> held;
  std::vector<char> data;
  auto append = [&](const char* text) { data.insert(data.end(), text, text + strlen(text)); };
  auto append_directory = [&](const char* path) {
    held.emplace_back(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!held.back()) return false;
    char number[16];
    snprintf(number, sizeof number, "%d", held.back().get());
    append(number);
    return true;
  };
  append("lowerdir=");
  for (size_t i = 0; lower[i]; i++) {
    if (i > 0) append(":");
    if (!append_directory(lower[i])) return failed(process, "open layer", lower[i]);
  }
  if (*upper) {
    append(",upperdir=");
    if (!append_directory(upper)) return failed(process, "open upper", upper);
    append(",workdir=");
    if (!append_directory(work)) return failed(process, "open work", work);
  }
  if (*options) append(","), append(options);
  data.push_back('\0');
  Fd place(open(target, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place) return failed(process, "open rootfs", target);
  char path[64];
  snprintf(path, sizeof path, "%d", place.get());
  if (chdir("/proc/self/fd") != 0) return failed(process, "chdir", "/proc/self/fd");
  if (mount("overlay", path, "overlay", 0, data.data()) != 0) return failed(process, "mount overlay", target);
  process.root = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return process.root >= 0 || failed(process, "open rootfs", target);
}

bool bind_root(Process& process, Reader& body) {
  const char* source = body.string();
  Fd tree(open_tree_clone(AT_FDCWD, source, true));
  if (!tree) return failed(process, "open rootfs", source);
  if (set_attributes(tree.get(), true, {.propagation = MS_PRIVATE}) != 0) return failed(process, "bind rootfs", source);
  Fd place(open(source, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place || move_to(tree.get(), place.get()) != 0) return failed(process, "bind rootfs", source);
  process.root = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return process.root >= 0 || failed(process, "open rootfs", source);
}

bool mount_filesystem(Process& process, Reader& body) {
  const char* source = body.string();
  const char* target = body.string();
  const char* type = body.string();
  uint64_t flags = body.u64();
  const char* data = body.string();
  uint64_t resolve = body.u32() ? RESOLVE_NO_SYMLINKS : 0;
  if (body.bad()) return errno = EPROTO, failed(process, "mount");
  Fd place(open_in_root(process, target, Make::kDirectory, resolve));
  if (!place) return failed(process, "mount target", target);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", place.get());
  if (mount(source, path, type, flags, *data ? data : nullptr) != 0) return failed(process, "mount", target);
  return true;
}

bool bind(Process& process, Reader& body) {
  const char* source = body.string();
  const char* target = body.string();
  uint32_t depth = body.u32();
  bool recursive = depth & 1;
  // Attributes reach every mount below as well.
  bool deep = depth & 2;
  uint64_t set = body.u64();
  uint64_t clear = body.u64();
  uint64_t propagation = body.u64();
  if (body.bad()) return errno = EPROTO, failed(process, "bind");
  Fd tree(open_tree_clone(AT_FDCWD, source, recursive));
  if (!tree) return failed(process, "bind source", source);
  struct stat info{};
  if (fstat(tree.get(), &info) != 0) return failed(process, "bind source", source);
  if (set_attributes(tree.get(), true, {.propagation = propagation}) != 0) return failed(process, "bind", source);
  if ((set | clear) && set_attributes(tree.get(), deep, {.set = set, .clear = clear}) != 0) {
    return failed(process, "bind attributes", source);
  }
  Fd place(open_in_root(process, target, S_ISDIR(info.st_mode) ? Make::kDirectory : Make::kFile));
  if (!place) return failed(process, "mount target", target);
  return move_to(tree.get(), place.get()) == 0 || failed(process, "bind", target);
}

bool make_device(Process& process, Reader& body) {
  const char* path = body.string();
  uint32_t mode = body.u32();
  uint32_t major_number = body.u32();
  uint32_t minor_number = body.u32();
  uint32_t uid = body.u32();
  uint32_t gid = body.u32();
  if (body.bad()) return errno = EPROTO, failed(process, "mknod");
  char copy[4096];
  snprintf(copy, sizeof copy, "%s", path);
  Fd parent(make_parents(process.root, copy, 0));
  const char* slash = strrchr(copy, '/');
  const char* name = slash ? slash + 1 : copy;
  if (!parent) return failed(process, "mknod", path);
  if (mknodat(parent.get(), name, mode, makedev(major_number, minor_number)) != 0) return failed(process, "mknod", path);
  return fchownat(parent.get(), name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0 || failed(process, "chown", path);
}

bool make_symlink(Process& process, Reader& body) {
  const char* target = body.string();
  const char* path = body.string();
  char copy[4096];
  snprintf(copy, sizeof copy, "%s", path);
  Fd parent(make_parents(process.root, copy, 0));
  const char* slash = strrchr(copy, '/');
  if (!parent) return failed(process, "symlink", path);
  return symlinkat(target, parent.get(), slash ? slash + 1 : copy) == 0 || errno == EEXIST ||
         failed(process, "symlink", path);
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

// The descriptor must be procfs itself: a symlink or a mount in its place could lead the write elsewhere.
bool write_sysctl(Process& process, const char* path, const char* value) {
  Fd file(resolve_in(process.root, path, O_WRONLY, RESOLVE_NO_SYMLINKS));
  if (!file) return failed(process, "sysctl", path);
  struct statfs where{};
  if (fstatfs(file.get(), &where) != 0) return failed(process, "sysctl", path);
  if (where.f_type != PROC_SUPER_MAGIC) return errno = EPERM, failed(process, "sysctl", path);
  auto size = static_cast<ssize_t>(strlen(value));
  return write(file.get(), value, size) == size || failed(process, "sysctl", path);
}

bool make_readonly_root(Process& process) {
  return set_attributes(process.root, false, {.set = MOUNT_ATTR_RDONLY}) == 0 || failed(process, "read-only root");
}

bool pivot(Process& process) {
  if (fchdir(process.root) != 0) return failed(process, "chdir", "rootfs");
  if (syscall(SYS_pivot_root, ".", ".") != 0) return failed(process, "pivot_root");
  if (umount2(".", MNT_DETACH) != 0) return failed(process, "umount", "old root");
  if (chdir("/") != 0) return failed(process, "chdir", "/");
  close(process.root);
  process.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return process.root >= 0 || failed(process, "open", "/");
}

}  // namespace stack::shim
