#include <fcntl.h>
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
