// File system verbs by descriptor. Names are resolved by the kernel alone: openat2(2), or single components below a
// descriptor, never followed where they are symbolic links. A name with a slash, `.` or `..` is refused with EINVAL.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "core/fd.h"
#include "core/result.h"

namespace stack::fs {

Result<int> openat2(int dirfd, const std::string& path, uint64_t flags, uint64_t mode, uint64_t resolve);
Result<Nothing> mkdirat(int dirfd, const std::string& name, uint32_t mode);
Result<Nothing> mknodat(int dirfd, const std::string& name, uint32_t mode, uint32_t major, uint32_t minor);
Result<Nothing> symlinkat(const std::string& target, int dirfd, const std::string& name);
Result<Nothing> linkat(int from, const std::string& from_name, int to, const std::string& to_name);
Result<Nothing> unlinkat(int dirfd, const std::string& name, bool is_directory);
Result<Nothing> renameat(int from, const std::string& from_name, int to, const std::string& to_name);
Result<std::string> readlinkat(int dirfd, const std::string& name);
Result<std::vector<std::string>> readdir(int fd);

// An empty `name` means the descriptor itself, which may be O_PATH.
Result<Nothing> fchownat(int dirfd, const std::string& name, uint32_t uid, uint32_t gid);
Result<Nothing> fchmod(int fd, uint32_t mode);
Result<Nothing> utimensat(int dirfd, const std::string& name, int64_t atime_ns, int64_t mtime_ns);
Result<Nothing> lsetxattr(int dirfd, const std::string& name, const std::string& attribute,
                          const std::vector<uint8_t>& value);
Result<std::vector<std::string>> llistxattr(int dirfd, const std::string& name);
Result<std::vector<uint8_t>> lgetxattr(int dirfd, const std::string& name, const std::string& attribute);

// One name below a directory, which no link and no `..` leads away from.
bool is_component(const std::string& name);
timespec to_timespec(int64_t ns);

// lstat(2) of each name, `stat_fields` numbers each: inode, size, times of modification, change and access in ns, mode, uid,
// gid, device, rdev, links.
constexpr size_t stat_fields = 11;
Result<std::vector<int64_t>> lstats(int dirfd, const std::vector<std::string>& names);
struct NewFile {
  std::string name;
  uint32_t uid, gid, mode;
  int64_t mtime_ns;
};
// Copies regular files, each under its name, which must be free in `to`. Answers which of them have extended attributes: those
// are not copied. Stops at the first that cannot be copied.
Result<std::vector<uint32_t>> copy_files(int from, int to, const std::vector<NewFile>& files);

struct FileContents {
  std::vector<uint8_t> content;
  std::vector<uint32_t> with_attributes;
};
// So many bytes of each file, one after the other, and which of them have extended attributes. ENODATA: one is shorter.
Result<FileContents> read_files(int dirfd, const std::vector<std::string>& names, const std::vector<uint32_t>& sizes);

// flock(2). False where `operation` carries LOCK_NB and another holder is in the way.
Result<bool> flock(int fd, int operation);
Result<Nothing> set_top_directory(int fd);
Result<Nothing> unmount(const std::string& path);
// fsopen(2) to move_mount(2): a file system on the directory `target`. Options are `key` or `key=value`, `attributes`
// MOUNT_ATTR_*. The subject of an error is what the kernel says about it, where it says anything.
Result<Nothing> mount_filesystem(const std::string& type, const std::string& source,
                                 const std::vector<std::string>& options, unsigned attributes, int target);
// The directory, and what will be made in it, counts as `project`'s; what that may hold, 0 for no limit (quotactl(2)).
Result<Nothing> set_project(int fd, uint32_t project);
Result<Nothing> limit_project(int fd, uint32_t project, uint64_t bytes);
// A second number for the same open file description.
Result<Fd> duplicate(int fd);

// A detached read-only overlay of `lower`, uppermost first; one layer alone is given as it is (an O_PATH descriptor).
Result<int> overlay_view(const std::vector<int>& lower);
// A detached overlay whose changes go to `upper`; `work` is an empty directory of the same file system.
Result<int> overlay_mount(const std::vector<int>& lower, int upper, int work);

}  // namespace stack::fs
