#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "shim/steps.h"

namespace stack::shim {

namespace {

bool copy_content(int from, const char* name, int to, mode_t mode) {
  Fd source(openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  Fd target(openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777));
  if (!source || !target) return false;
  for (;;) {
    ssize_t copied = sendfile(target.get(), source.get(), nullptr, 1 << 20);
    if (copied <= 0) return copied == 0;
  }
}

bool copy_entry(int from, const char* name, int to, const struct stat& info) {
  switch (info.st_mode & S_IFMT) {
    case S_IFDIR: {
      if (mkdirat(to, name, 0700) != 0) return false;
      Fd below(openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      Fd made(openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      return below && made && copy_tree(below.get(), made.get());
    }
    case S_IFLNK: {
      char target[4096];
      ssize_t size = readlinkat(from, name, target, sizeof target - 1);
      if (size < 0) return false;
      target[size] = '\0';
      return symlinkat(target, to, name) == 0;
    }
    case S_IFREG: return copy_content(from, name, to, info.st_mode);
    default: return mknodat(to, name, info.st_mode, info.st_rdev) == 0;
  }
}

bool keep_owner(int to, const char* name, const struct stat& info) {
  if (fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0) return false;
  // After the owner: a change of that clears set-user-id bits.
  if (!S_ISLNK(info.st_mode) && fchmodat(to, name, info.st_mode & 07777, 0) != 0) return false;
  timespec times[2] = {info.st_atim, info.st_mtim};
  return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

bool copy_tree(int from, int to) {
  int listed = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = listed < 0 ? nullptr : fdopendir(listed);
  if (!directory) return false;
  bool is_good = true;
  while (dirent* entry = is_good ? readdir(directory) : nullptr) {
    const char* name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    struct stat info{};
    is_good = fstatat(listed, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && copy_entry(listed, name, to, info) &&
              keep_owner(to, name, info);
  }
  int number = errno;
  closedir(directory);
  errno = number;
  return is_good;
}

}  // namespace stack::shim
