// Verbs on many files of one directory: a call from JavaScript costs as much as the system call it makes.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>

#include "core/filesystem.h"

namespace stack::fs {

static int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

Result<std::vector<int64_t>> lstats(int dirfd, const std::vector<std::string>& names) {
  std::vector<int64_t> fields;
  fields.reserve(names.size() * stat_fields);
  for (const auto& name : names) {
    if (!is_component(name)) return Error{"fstatat", EINVAL, name};
    struct stat s;
    if (retry([&] { return fstatat(dirfd, name.c_str(), &s, AT_SYMLINK_NOFOLLOW); }) < 0) return fail("fstatat", name);
    const int64_t found[stat_fields] = {
        static_cast<int64_t>(s.st_ino), s.st_size,  nanoseconds(s.st_mtim), nanoseconds(s.st_ctim),
        nanoseconds(s.st_atim),         s.st_mode,  s.st_uid,               s.st_gid,
        static_cast<int64_t>(s.st_dev), static_cast<int64_t>(s.st_rdev),    static_cast<int64_t>(s.st_nlink)};
    fields.insert(fields.end(), found, found + stat_fields);
  }
  return fields;
}

static Result<Nothing> copy_content(int from, int to, off_t size, const std::string& name) {
  std::array<char, 64 * 1024> buffer;
  // In the kernel where both file systems can; EXDEV, EINVAL and EOPNOTSUPP say that they cannot (copy_file_range(2)).
  ssize_t copied = 0;
  if (size > static_cast<off_t>(buffer.size())) {
    do copied = retry([&] { return copy_file_range(from, nullptr, to, nullptr, 1 << 30, 0); });
    while (copied > 0);
  }
  // Files that only seem empty, as those of procfs, are read to their end too.
  if (copied < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS) {
    return fail("copy_file_range", name);
  }
  for (;;) {
    ssize_t size = retry([&] { return read(from, buffer.data(), buffer.size()); });
    if (size < 0) return fail("read", name);
    if (size == 0) return Nothing{};
    for (ssize_t at = 0; at < size;) {
      ssize_t written = retry([&] { return write(to, buffer.data() + at, size - at); });
      if (written < 0) return fail("write", name);
      at += written;
    }
  }
}

static Result<bool> copy_file(int from, int to, const NewFile& file) {
  if (!is_component(file.name)) return Error{"openat", EINVAL, file.name};
  const char* name = file.name.c_str();
  // What was a file a moment ago may be a pipe now: opening that would wait.
  Fd input(retry([&] { return openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); }));
  if (!input) return fail("openat", file.name);
  struct stat s;
  if (::fstat(input.get(), &s) < 0) return fail("fstat", file.name);
  if (!S_ISREG(s.st_mode)) return Error{"openat", EINVAL, file.name};
  Fd output(retry([&] { return openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600); }));
  if (!output) return fail("openat", file.name);
  if (auto copied = copy_content(input.get(), output.get(), s.st_size, file.name); !copied.ok()) return copied.error();
  // Owner before mode, since chown(2) clears set-user-ID; times last.
  if (::fchown(output.get(), file.uid, file.gid) < 0) return fail("fchown", file.name);
  if (::fchmod(output.get(), file.mode) < 0) return fail("fchmod", file.name);
  const timespec time = to_timespec(file.mtime_ns);
  const timespec times[2] = {time, time};
  if (::futimens(output.get(), times) < 0) return fail("futimens", file.name);
  ssize_t attributes = flistxattr(input.get(), nullptr, 0);
  if (attributes < 0 && errno != EOPNOTSUPP) return fail("flistxattr", file.name);
  return attributes > 0;
}

Result<std::vector<uint32_t>> copy_files(int from, int to, const std::vector<NewFile>& files) {
  std::vector<uint32_t> with_attributes;
  for (uint32_t at = 0; at < files.size(); at++) {
    auto copied = copy_file(from, to, files[at]);
    if (!copied.ok()) return copied.error();
    if (copied.value()) with_attributes.push_back(at);
  }
  return with_attributes;
}

Result<FileContents> read_files(int dirfd, const std::vector<std::string>& names, const std::vector<uint32_t>& sizes) {
  FileContents found;
  size_t total = 0;
  for (uint32_t size : sizes) total += size;
  found.content.resize(total);
  uint8_t* to = found.content.data();
  for (uint32_t i = 0; i < names.size(); i++) {
    if (!is_component(names[i])) return Error{"openat", EINVAL, names[i]};
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    Fd file(retry([&] { return openat(dirfd, names[i].c_str(), flags); }));
    if (!file) return fail("openat", names[i]);
    for (uint8_t* end = to + sizes[i]; to < end;) {
      ssize_t size = retry([&] { return read(file.get(), to, end - to); });
      if (size < 0) return fail("read", names[i]);
      if (size == 0) return Error{"read", ENODATA, names[i]};
      to += size;
    }
    ssize_t attributes = flistxattr(file.get(), nullptr, 0);
    if (attributes < 0 && errno != EOPNOTSUPP) return fail("flistxattr", names[i]);
    if (attributes > 0) found.with_attributes.push_back(i);
  }
  return found;
}

}  // namespace stack::fs
