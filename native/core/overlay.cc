#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <thread>

#include "core/filesystem.h"

namespace stack::fs {

static Result<int> create_mount(const Fd& context, unsigned attributes = MOUNT_ATTR_RDONLY) {
  if (retry([&] { return fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0); }) < 0) {
    return fail("fsconfig", "overlay");
  }
  int mount = retry([&] { return fsmount(context.get(), FSMOUNT_CLOEXEC, attributes); });
  if (mount < 0) return fail("fsmount", "overlay");
  return mount;
}

// fsconfig(2) takes at most 255 bytes for one option, mount(2) a page for all of them. It wants a place in a table of
// mounts: the calling thread gets a table of its own, which goes with it, while the copy of the mount stays. Directories are
// opened once more in there: overlayfs takes none of another table (EINVAL, Linux 5.14).
static Result<int> mount_by_page(const std::vector<int>& lower, int upper, int work) {
  static constexpr const char* kPlace = "/proc";
  if (unshare(CLONE_NEWNS) < 0) return fail("unshare", "CLONE_NEWNS");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return fail("mount", "private");
  if (chdir("/proc/thread-self/fd") < 0) return fail("chdir", "/proc/thread-self/fd");
  std::vector<Fd> held;
  std::string options;
  auto add = [&](const char* separator, int fd) {
    char path[PATH_MAX];
    ssize_t size = readlink(std::to_string(fd).c_str(), path, sizeof path - 1);
    if (size < 0) return false;
    path[size] = '\0';
    held.emplace_back(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    options += separator + std::to_string(held.back().get());
    return static_cast<bool>(held.back());
  };
  for (int fd : lower) {
    if (!add(held.empty() ? "lowerdir=" : ":", fd)) return fail("open", "overlay");
  }
  bool has_upper = upper >= 0;
  if (has_upper && (!add(",upperdir=", upper) || !add(",workdir=", work))) return fail("open", "overlay");
  // As below: what lies in `upper` is synced by who made the mount.
  if (has_upper) options += ",volatile";
  if (mount("overlay", kPlace, "overlay", has_upper ? 0 : MS_RDONLY, options.c_str()) < 0) return fail("mount", "overlay");
  int tree = retry([] { return open_tree(AT_FDCWD, kPlace, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC); });
  if (tree < 0) return fail("open_tree", "overlay");
  return tree;
}

static constexpr size_t kLongestOption = 255;

// Kernels before 6.8 know no `lowerdir+` and take at most 255 bytes for one option: layers are named by their bare
// descriptor numbers, looked up from /proc/thread-self/fd on a thread with a working directory of its own.
static Result<int> mount_by_number(const std::vector<int>& lower, int upper = -1, int work = -1) {
  std::string names;
  for (int fd : lower) names += (names.empty() ? "" : ":") + std::to_string(fd);
  std::vector<std::pair<const char*, std::string>> options{{"lowerdir", names}};
  if (upper >= 0) {
    options.emplace_back("upperdir", std::to_string(upper));
    options.emplace_back("workdir", std::to_string(work));
  }
  Result<int> answer = Error{"fsopen", 0, "overlay"};
  std::thread([&] {
    if (unshare(CLONE_FS) < 0 || chdir("/proc/thread-self/fd") < 0) {
      answer = fail("unshare", "CLONE_FS");
      return;
    }
    if (names.size() > kLongestOption) {
      answer = mount_by_page(lower, upper, work);
      return;
    }
    Fd context(fsopen("overlay", FSOPEN_CLOEXEC));
    if (!context) {
      answer = fail("fsopen", "overlay");
      return;
    }
    for (const auto& [name, value] : options) {
      if (fsconfig(context.get(), FSCONFIG_SET_STRING, name, value.c_str(), 0) < 0) {
        answer = fail("fsconfig", name + ("=" + value));
        return;
      }
    }
    // What lies in `upper` is synced by who made the mount, where it must last: not once more when the mount goes.
    if (upper >= 0 && fsconfig(context.get(), FSCONFIG_SET_FLAG, "volatile", nullptr, 0) < 0) {
      answer = fail("fsconfig", "volatile");
      return;
    }
    answer = create_mount(context, upper < 0 ? MOUNT_ATTR_RDONLY : 0);
  }).join();
  return answer;
}

Result<int> overlay_view(const std::vector<int>& lower) {
  // overlayfs refuses a single lower directory without an upper one.
  if (lower.size() == 1) return openat2(lower[0], ".", O_PATH | O_DIRECTORY, 0, 0);
  Fd context(fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context) return fail("fsopen", "overlay");
  for (int fd : lower) {
    std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (fsconfig(context.get(), FSCONFIG_SET_STRING, "lowerdir+", path.c_str(), 0) == 0) continue;
    if (errno == EINVAL && fd == lower[0]) return mount_by_number(lower);
    return fail("fsconfig", "lowerdir+=" + path);
  }
  auto mount = create_mount(context);
  // Before 6.5 overlayfs takes its options as one text, and refuses those it does not know only now.
  if (!mount.ok() && mount.error().number == EINVAL) return mount_by_number(lower);
  return mount;
}

Result<int> overlay_mount(const std::vector<int>& lower, int upper, int work) {
  return mount_by_number(lower, upper, work);
}

}  // namespace stack::fs
