#include "core/filesystem.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <linux/limits.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>

// As of linux/fs.h, which quarrels with sys/mount.h.
#ifndef FS_TOPDIR_FL
#define FS_IOC_GETFLAGS _IOR('f', 1, long)
#define FS_IOC_SETFLAGS _IOW('f', 2, long)
#define FS_TOPDIR_FL 0x00020000
#endif

namespace stack::fs {

bool is_component(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

// One call on single components; `call` answers -1 and errno as system calls do.
template <typename Call>
static Result<Nothing> on_component(const char* step, const std::string& name, Call call) {
  if (!is_component(name)) return Error{step, EINVAL, name};
  if (retry(call) < 0) return fail(step, name);
  return Nothing{};
}

static std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

Result<int> openat2(int dirfd, const std::string& path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  open_how how{.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  int fd = -1;
  // Any rename or mount of the machine during a `..` is EAGAIN (openat2(2)): now and then that is chance, for ever it is an
  // attack.
  for (int tries = 0; tries < 128; tries++) {
    fd = retry([&] { return static_cast<int>(syscall(SYS_openat2, dirfd, path.c_str(), &how, sizeof how)); });
    if (fd >= 0 || errno != EAGAIN) break;
  }
  if (fd < 0) return fail("openat2", path);
  return fd;
}

Result<Nothing> mkdirat(int dirfd, const std::string& name, uint32_t mode) {
  return on_component("mkdirat", name, [&] { return ::mkdirat(dirfd, name.c_str(), mode); });
}

Result<Nothing> mknodat(int dirfd, const std::string& name, uint32_t mode, uint32_t major, uint32_t minor) {
  return on_component("mknodat", name, [&] { return ::mknodat(dirfd, name.c_str(), mode, makedev(major, minor)); });
}

Result<Nothing> symlinkat(const std::string& target, int dirfd, const std::string& name) {
  return on_component("symlinkat", name, [&] { return ::symlinkat(target.c_str(), dirfd, name.c_str()); });
}

Result<Nothing> linkat(int from, const std::string& from_name, int to, const std::string& to_name) {
  if (!is_component(from_name)) return Error{"linkat", EINVAL, from_name};
  return on_component("linkat", to_name, [&] { return ::linkat(from, from_name.c_str(), to, to_name.c_str(), 0); });
}

Result<Nothing> unlinkat(int dirfd, const std::string& name, bool is_directory) {
  return on_component("unlinkat", name,
                      [&] { return ::unlinkat(dirfd, name.c_str(), is_directory ? AT_REMOVEDIR : 0); });
}

Result<Nothing> renameat(int from, const std::string& from_name, int to, const std::string& to_name) {
  if (!is_component(from_name)) return Error{"renameat", EINVAL, from_name};
  return on_component("renameat", to_name, [&] { return ::renameat(from, from_name.c_str(), to, to_name.c_str()); });
}

Result<std::string> readlinkat(int dirfd, const std::string& name) {
  if (!name.empty() && !is_component(name)) return Error{"readlinkat", EINVAL, name};
  std::string target(PATH_MAX, '\0');
  ssize_t length = retry([&] { return ::readlinkat(dirfd, name.c_str(), target.data(), target.size()); });
  if (length < 0) return fail("readlinkat", name);
  target.resize(length);
  return target;
}

Result<std::vector<std::string>> readdir(int fd) {
  // A description of its own: fdopendir(3) takes the descriptor over and moves its position; O_PATH ones are re-opened too.
  Fd own(retry([&] { return ::open(proc_path(fd).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!own) return fail("readdir");
  DIR* dir = fdopendir(own.get());
  if (!dir) return fail("readdir");
  own.release();
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = ::readdir(dir)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
    errno = 0;
  }
  Error end = fail("readdir");
  closedir(dir);
  if (end.number != 0) return end;
  return names;
}

Result<Nothing> fchownat(int dirfd, const std::string& name, uint32_t uid, uint32_t gid) {
  if (!name.empty() && !is_component(name)) return Error{"fchownat", EINVAL, name};
  if (retry([&] { return ::fchownat(dirfd, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH); }) < 0) {
    return fail("fchownat", name);
  }
  return Nothing{};
}

Result<Nothing> fchmod(int fd, uint32_t mode) {
  int done = retry([&] { return ::fchmod(fd, mode); });
  // fchmod(2) refuses O_PATH descriptors with EBADF; their magic link is the documented way round.
  if (done < 0 && errno == EBADF) done = retry([&] { return ::chmod(proc_path(fd).c_str(), mode); });
  if (done < 0) return fail("fchmod");
  return Nothing{};
}

timespec to_timespec(int64_t ns) {
  int64_t rest = ns % 1'000'000'000;
  if (rest < 0) rest += 1'000'000'000;
  return {static_cast<time_t>((ns - rest) / 1'000'000'000), static_cast<long>(rest)};
}

Result<Nothing> utimensat(int dirfd, const std::string& name, int64_t atime_ns, int64_t mtime_ns) {
  if (!name.empty() && !is_component(name)) return Error{"utimensat", EINVAL, name};
  timespec times[2] = {to_timespec(atime_ns), to_timespec(mtime_ns)};
  // AT_EMPTY_PATH works for utimensat since Linux 5.8.
  int flags = AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0);
  if (retry([&] { return ::utimensat(dirfd, name.c_str(), times, flags); }) < 0) return fail("utimensat", name);
  return Nothing{};
}

Result<Nothing> lsetxattr(int dirfd, const std::string& name, const std::string& attribute,
                          const std::vector<uint8_t>& value) {
  if (!name.empty() && !is_component(name)) return Error{"lsetxattr", EINVAL, name};
  std::string path = proc_path(dirfd);
  // The magic link itself must be followed to reach the descriptor's file, the name below it must not.
  auto call = name.empty() ? ::setxattr : ::lsetxattr;
  if (!name.empty()) path += "/" + name;
  if (retry([&] { return call(path.c_str(), attribute.c_str(), value.data(), value.size(), 0); }) < 0) {
    return fail("lsetxattr", attribute);
  }
  return Nothing{};
}

// A value may grow between asking for its size and reading it; the kernel's own limits (64 KiB both) bound the answer.
Result<std::vector<std::string>> llistxattr(int dirfd, const std::string& name) {
  if (!name.empty() && !is_component(name)) return Error{"llistxattr", EINVAL, name};
  std::string path = proc_path(dirfd) + (name.empty() ? "" : "/" + name);
  auto call = name.empty() ? ::listxattr : ::llistxattr;
  // Most files have none: the largest list is only made room for, here and in the kernel, where there is a long one.
  std::vector<char> names(256);
  ssize_t size = retry([&] { return call(path.c_str(), names.data(), names.size()); });
  if (size < 0 && errno == ERANGE) {
    names.resize(XATTR_LIST_MAX);
    size = retry([&] { return call(path.c_str(), names.data(), names.size()); });
  }
  if (size < 0) return fail("llistxattr", name);
  std::vector<std::string> list;
  for (const char* at = names.data(); at < names.data() + size; at += list.back().size() + 1) list.emplace_back(at);
  return list;
}

Result<std::vector<uint8_t>> lgetxattr(int dirfd, const std::string& name, const std::string& attribute) {
  if (!name.empty() && !is_component(name)) return Error{"lgetxattr", EINVAL, name};
  std::string path = proc_path(dirfd) + (name.empty() ? "" : "/" + name);
  auto call = name.empty() ? ::getxattr : ::lgetxattr;
  std::vector<uint8_t> value(XATTR_SIZE_MAX);
  ssize_t size = retry([&] { return call(path.c_str(), attribute.c_str(), value.data(), value.size()); });
  if (size < 0) return fail("lgetxattr", attribute);
  value.resize(static_cast<size_t>(size));
  return value;
}

Result<bool> flock(int fd, int operation) {
  if (retry([&] { return ::flock(fd, operation); }) == 0) return true;
  if (errno == EWOULDBLOCK && (operation & LOCK_NB)) return false;
  return fail("flock");
}

Result<Nothing> unmount(const std::string& path) {
  if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return fail("umount2", path);
  return Nothing{};
}

Result<Nothing> set_top_directory(int fd) {
  int flags = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return fail("FS_IOC_GETFLAGS");
  if (flags & FS_TOPDIR_FL) return Nothing{};
  flags |= FS_TOPDIR_FL;
  if (ioctl(fd, FS_IOC_SETFLAGS, &flags) != 0) return fail("FS_IOC_SETFLAGS");
  return Nothing{};
}

Result<Fd> duplicate(int fd) {
  Fd copy(retry([&] { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }));
  if (!copy) return fail("fcntl", "F_DUPFD_CLOEXEC");
  return copy;
}

}  // namespace stack::fs
