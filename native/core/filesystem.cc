#include "core/filesystem.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace stack::fs {

Result<int> openat2(int dirfd, const std::string& path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  open_how how{.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  int fd = retry([&] { return static_cast<int>(syscall(SYS_openat2, dirfd, path.c_str(), &how, sizeof how)); });
  if (fd < 0) return fail("openat2", path);
  return fd;
}

}  // namespace stack::fs
