// Mounts, made detached and then attached to a descriptor inside the container's root: no path is resolved twice, and
// nothing goes through a procfs that a container could have covered (CVE-2025-52881 and its kin).
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#ifndef FSOPEN_CLOEXEC  // glibc before 2.36 has no declarations of the new mount calls
#include <linux/mount.h>
#endif

#include "core/fd.h"
#include "shim/steps.h"

namespace stack::shim {

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

namespace {

// What a mount is told about itself, and about itself and every mount below: MOUNT_ATTR_* to set and to clear.
struct Wanted {
  uint64_t set, clear, deep_set, deep_clear, propagation;
  explicit Wanted(Reader& body)
      : set(body.u64()), clear(body.u64()), deep_set(body.u64()), deep_clear(body.u64()), propagation(body.u64()) {}
};

bool apply_wanted(int mount, const Wanted& wanted) {
  if ((wanted.set | wanted.clear) && set_attributes(mount, false, {.set = wanted.set, .clear = wanted.clear}) != 0) return false;
  return !(wanted.deep_set | wanted.deep_clear) ||
         set_attributes(mount, true, {.set = wanted.deep_set, .clear = wanted.deep_clear}) == 0;
}

// Propagation is a property of attached mounts' peers: it is set once the mount is in its place. MS_REC is ours.
bool propagate(int mount, uint64_t propagation) {
  if (!propagation) return true;
  return set_attributes(mount, propagation & MS_REC, {.propagation = propagation & ~static_cast<uint64_t>(MS_REC)}) == 0;
}

// Of a mount step.
constexpr uint32_t kNoLinks = 1, kCopiesUp = 2;

// A mount that a later step changes is kept by its descriptor: a link of the image may lead elsewhere by then.
bool remember(Process& process, const char* target, Fd mount) {
  Reader rest = process.rest;
  for (Step step; next(rest, step);) {
    if (step.code != Code::kAttributes && step.code != Code::kReconfigure) continue;
    if (strcmp(step.body.string(), target) != 0) continue;
    process.mounted.emplace_back(target, mount.release());
    break;
  }
  return true;
}

// What this program mounted at `target`, or what is there without a link on the way. A descriptor of the caller's.
Fd mounted_at(Process& process, const char* target) {
  for (auto at = process.mounted.rbegin(); at != process.mounted.rend(); ++at) {
    if (strcmp(at->first, target) == 0) return Fd(fcntl(at->second, F_DUPFD_CLOEXEC, 0));
  }
  return Fd(open_in_root(process, target, Make::kNothing, RESOLVE_NO_SYMLINKS));
}

// The parameters of a file system: `key` or `key=value`. Answers the one that was refused.
const char* configure(int context, const std::vector<const char*>& options) {
  for (const char* option : options) {
    if (!option) break;
    const char* equals = strchr(option, '=');
    char key[256];
    snprintf(key, sizeof key, "%.*s", equals ? static_cast<int>(equals - option) : 255, option);
    unsigned command = equals ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
    if (syscall(SYS_fsconfig, context, command, key, equals ? equals + 1 : nullptr, 0) != 0) return option;
  }
  return nullptr;
}

constexpr size_t kLongest = 255;  // what fsconfig(2) takes as a string

// mount(2), whose page of data holds what fsconfig(2) finds too long. The target is named through the procfs this process
// was born with.
bool mount_with_data(Process& process, const char* source, const char* target, const char* type,
                     const std::vector<const char*>& options, const Wanted& wanted, uint32_t flags) {
  std::vector<char> data;
  for (const char* option : options) {
    if (!option) break;
    if (!data.empty()) data.push_back(',');
    data.insert(data.end(), option, option + strlen(option));
  }
  data.push_back('\0');
  uint64_t resolve = flags & kNoLinks ? RESOLVE_NO_SYMLINKS : 0;
  Fd place(open_in_root(process, target, Make::kDirectory, resolve));
  char path[64];
  snprintf(path, sizeof path, "self/fd/%d", place.get());
  if (!place || fchdir(process.host_proc) != 0) return failed(process, "mount target", target);
  if (mount(source, path, type, 0, data.data()) != 0) return failed(process, "mount", target);
  Fd made(open_in_root(process, target, Make::kNothing, resolve));
  // `place` is what lies below it now.
  if (made && flags & kCopiesUp && !copy_tree(place.get(), made.get())) return failed(process, "copy up", target);
  return (made && apply_wanted(made.get(), wanted) && propagate(made.get(), wanted.propagation) &&
          remember(process, target, std::move(made))) ||
         failed(process, "mount attributes", target);
}

bool fails(Process& process, const char* step, const char* target, const char* option) {
  int number = errno;
  char subject[200];
  snprintf(subject, sizeof subject, "%s: option %s", target, option);
  errno = number;
  return failed(process, step, subject);
}

}  // namespace

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
  Fd place(open(source, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place || move_to(tree.get(), place.get()) != 0) return failed(process, "bind rootfs", source);
  process.root = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return process.root >= 0 || failed(process, "open rootfs", source);
}

bool mount_filesystem(Process& process, Reader& body) {
  const char* source = body.string();
  const char* target = body.string();
  const char* type = body.string();
  auto options = body.strings();
  Wanted wanted(body);
  uint32_t flags = body.u32();
  if (body.bad()) return errno = EPROTO, failed(process, "mount");
  uint64_t resolve = flags & kNoLinks ? RESOLVE_NO_SYMLINKS : 0;
  for (const char* option : options) {
    if (option && strlen(option) >= kLongest) return mount_with_data(process, source, target, type, options, wanted, flags);
  }
  Fd context(static_cast<int>(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)));
  if (!context) return fails(process, "mount", target, type);
  if (*source && syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "source", source, 0) != 0) {
    return fails(process, "mount", target, source);
  }
  if (const char* refused = configure(context.get(), options)) return fails(process, "mount", target, refused);
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return failed(process, "mount", target);
  }
  // What is set for good is given at once: sysfs and proc of a user namespace may not be had with less.
  Fd made(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, wanted.set)));
  if (!made || !apply_wanted(made.get(), wanted)) return failed(process, "mount", target);
  Fd place(open_in_root(process, target, Make::kDirectory, resolve));
  if (!place) return failed(process, "mount target", target);
  if (flags & kCopiesUp && !copy_tree(place.get(), made.get())) return failed(process, "copy up", target);
  return (move_to(made.get(), place.get()) == 0 && propagate(made.get(), wanted.propagation) &&
          remember(process, target, std::move(made))) ||
         failed(process, "mount", target);
}

// A mount that is there already, by its target: `remount`, for its super block.
bool reconfigure(Process& process, Reader& body) {
  const char* target = body.string();
  auto options = body.strings();
  if (body.bad()) return errno = EPROTO, failed(process, "remount");
  Fd place(mounted_at(process, target));
  Fd context(place ? static_cast<int>(syscall(SYS_fspick, place.get(), "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH)) : -1);
  if (!context) return failed(process, "remount", target);
  if (const char* refused = configure(context.get(), options)) return fails(process, "remount", target, refused);
  return syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) == 0 ||
         failed(process, "remount", target);
}

bool change_attributes(Process& process, Reader& body) {
  const char* target = body.string();
  Wanted wanted(body);
  if (body.bad()) return errno = EPROTO, failed(process, "mount attributes");
  Fd place(mounted_at(process, target));
  return (place && apply_wanted(place.get(), wanted) && propagate(place.get(), wanted.propagation)) ||
         failed(process, "mount attributes", target);
}

// Opened while this process still has the host's rights: a user namespace may not reach the path, nor map its owners. What is
// beneath a directory that others write to is looked up anew at each start, and no link in it leads out of it.
bool open_source(Process& process, Reader& body, bool is_beneath) {
  const char* path = body.string();
  const char* beneath = is_beneath ? body.string() : "";
  uint32_t depth = body.u32();
  const char* uid_map = body.string();
  const char* gid_map = body.string();
  if (body.bad()) return errno = EPROTO, failed(process, "bind source");
  Fd place;
  if (*beneath) {
    Fd root(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    open_how how{.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    if (!root) return failed(process, "bind source", path);
    place = Fd(static_cast<int>(syscall(SYS_openat2, root.get(), beneath, &how, sizeof how)));
    if (!place) return failed(process, "subpath", beneath);
  }
  Fd tree(open_tree_clone(place ? place.get() : AT_FDCWD, place ? "" : path, depth & 1));
  if (!tree) return failed(process, "bind source", path);
  if (*uid_map || *gid_map) {
    Fd users(make_user_namespace(process, uid_map, gid_map));
    if (!users) return false;
    MountAttributes mapped{.set = MOUNT_ATTR_IDMAP, .userns = static_cast<uint64_t>(users.get())};
    if (set_attributes(tree.get(), depth & 2, mapped) != 0) return failed(process, "map the owners of", path);
  }
  process.sources.push_back(tree.release());
  return true;
}

bool bind(Process& process, Reader& body) {
  const char* source = body.string();
  const char* target = body.string();
  uint32_t index = body.u32();
  uint32_t depth = body.u32();
  Wanted wanted(body);
  if (body.bad()) return errno = EPROTO, failed(process, "bind");
  Fd tree;
  if (index != ~0U) {
    if (index >= process.sources.size() || process.sources[index] < 0) return errno = EPROTO, failed(process, "bind");
    tree = Fd(std::exchange(process.sources[index], -1));
  } else {
    tree = Fd(open_tree_clone(AT_FDCWD, source, depth & 1));
  }
  struct stat info{};
  if (!tree || fstat(tree.get(), &info) != 0) return failed(process, "bind source", source);
  if (!apply_wanted(tree.get(), wanted)) return failed(process, "bind attributes", source);
  Fd place(open_in_root(process, target, S_ISDIR(info.st_mode) ? Make::kDirectory : Make::kFile));
  if (!place) return failed(process, "mount target", target);
  return (propagate(tree.get(), wanted.propagation) && move_to(tree.get(), place.get()) == 0 &&
          remember(process, target, std::move(tree))) ||
         failed(process, "bind", target);
}

}  // namespace stack::shim
