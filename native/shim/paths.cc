#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"
#include "shim/steps.h"

namespace stack::shim {

int resolve_in(int root, const char* path, uint64_t flags, uint64_t resolve) {
  open_how how{.flags = flags | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};
  int fd = -1;
  // Any rename or mount of the machine during a `..` is EAGAIN (openat2(2)): now and then that is chance, for ever it is an
  // attack.
  for (int tries = 0; tries < 128; tries++) {
    fd = static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how));
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return fd;
}

namespace {

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

int open_parent(Process& process, char* path, uint64_t resolve, const char*& name) {
  int parent = make_parents(process.root, path, resolve);
  const char* slash = strrchr(path, '/');
  name = slash ? slash + 1 : path;
  return parent;
}

}  // namespace stack::shim
