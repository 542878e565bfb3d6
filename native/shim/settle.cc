#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "shim/monitor.h"

namespace stack::shim {

namespace {

struct Mark {
  Fd directory;
  Fd file;
  const char* to;
};

}  // namespace

// What is marked is opened before the sync: the new name is given to that very file, whatever has come to bear the old one
// since, and to none that was removed, of which no link can be made. The old name stays, for who replaces the file at this
// moment must not lose it.
int settle(const Settings& settings) {
  Fd root(open(settings.settle_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return 1;
  std::vector<Mark> marks;
  for (size_t i = 0; i + 2 < settings.settle_marks.size(); i += 3) {
    const char* const* names = &settings.settle_marks[i];
    Fd directory(open(names[0], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) continue;
    Fd file(openat(directory.get(), names[1], O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file) marks.push_back({std::move(directory), std::move(file), names[2]});
  }
  if (syncfs(root.get()) != 0) return 1;
  int failures = 0;
  for (const Mark& mark : marks) {
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", mark.file.get());
    if (linkat(AT_FDCWD, self, mark.directory.get(), mark.to, AT_SYMLINK_FOLLOW) != 0) failures++;
  }
  return failures > 0;
}

}  // namespace stack::shim
