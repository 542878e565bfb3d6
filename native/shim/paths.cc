#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <string>

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

constexpr int kLinks = 40;  // as path_resolution(7) has it

int open_or_make(int root, const char* path, Make make, uint64_t resolve, int& links);

// `name` below `parent` is there and resolves to nothing: a link whose target is missing. That is made, where the link
// leads inside the root, as other runtimes do. `path` ends with the name.
int make_target(int root, int parent, const std::string& path, const char* name, Make make, uint64_t resolve, int& links) {
  char target[PATH_MAX];
  ssize_t size = readlinkat(parent, name, target, sizeof target - 1);
  if (size < 0) return errno = ENOENT, -1;
  if (links-- <= 0) return errno = ELOOP, -1;
  target[size] = '\0';
  // From the directory of the link: the kernel follows what lies before it, and any `..`, inside the root.
  std::string whole = *target == '/' ? "" : path.substr(0, path.rfind('/') + 1);
  return open_or_make(root, whole.append(target).c_str(), make, resolve, links);
}

// Makes the directories of `path` that are missing, one component at a time, each below a descriptor of its parent.
// Answers the parent of the last component.
int make_parents(int root, char* path, uint64_t resolve, int& links) {
  int parent = resolve_in(root, "/", O_PATH | O_DIRECTORY, 0);
  for (char* at = path; parent >= 0;) {
    while (*at == '/') at++;
    char* end = strchr(at, '/');
    if (!end || strspn(end, "/") == strlen(end)) return parent;
    *end = '\0';
    int next = resolve_in(root, path, O_PATH | O_DIRECTORY, resolve);
    if (next < 0 && errno == ENOENT) {
      bool is_there = mkdirat(parent, at, 0755) != 0;
      if (!is_there || errno == EEXIST) next = resolve_in(root, path, O_PATH | O_DIRECTORY, resolve);
      if (next < 0 && is_there && errno == ENOENT) next = make_target(root, parent, path, at, Make::kDirectory, resolve, links);
    }
    *end = '/';
    int number = errno;
    close(parent);
    errno = number;
    parent = next;
    at = end;
  }
  return parent;
}

int open_or_make(int root, const char* path, Make make, uint64_t resolve, int& links) {
  int fd = resolve_in(root, path, O_PATH, resolve);
  if (fd >= 0 || errno != ENOENT || make == Make::kNothing) return fd;
  std::string copy(path);
  if (copy.size() >= PATH_MAX) return errno = ENAMETOOLONG, -1;
  while (copy.size() > 1 && copy.back() == '/') copy.pop_back();
  Fd parent(make_parents(root, copy.data(), resolve, links));
  if (!parent) return -1;
  const char* name = copy.c_str() + (copy.rfind('/') + 1);  // npos + 1 is 0
  int made = make == Make::kDirectory ? mkdirat(parent.get(), name, 0755) : mknodat(parent.get(), name, S_IFREG | 0644, 0);
  if (made != 0 && errno != EEXIST) return -1;
  fd = resolve_in(root, copy.c_str(), O_PATH, resolve);
  if (fd >= 0 || made == 0 || errno != ENOENT) return fd;
  return make_target(root, parent.get(), copy, name, make, resolve, links);
}

}  // namespace

int open_in_root(Process& process, const char* path, Make make, uint64_t resolve) {
  int links = kLinks;
  return open_or_make(process.root, path, make, resolve, links);
}

int open_parent(Process& process, char* path, uint64_t resolve, const char*& name) {
  int links = kLinks;
  int parent = make_parents(process.root, path, resolve, links);
  const char* slash = strrchr(path, '/');
  name = slash ? slash + 1 : path;
  return parent;
}

}  // namespace stack::shim
