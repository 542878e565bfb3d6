#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/filesystem.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443  // Linux 5.14
#endif

namespace stack::fs {

static constexpr int kProject = 2;        // PRJQUOTA of linux/quota.h
static constexpr uint64_t kBlock = 1024;  // of a limit (quotactl(2))

Result<Nothing> set_project(int fd, uint32_t project) {
  fsxattr attributes{};
  if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) != 0) return fail("FS_IOC_FSGETXATTR");
  attributes.fsx_projid = project;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  if (ioctl(fd, FS_IOC_FSSETXATTR, &attributes) != 0) return fail("FS_IOC_FSSETXATTR");
  return Nothing{};
}

Result<Nothing> limit_project(int fd, uint32_t project, uint64_t bytes) {
  dqblk limits{};
  limits.dqb_bhardlimit = limits.dqb_bsoftlimit = (bytes + kBlock - 1) / kBlock;
  limits.dqb_valid = QIF_BLIMITS;
  if (syscall(SYS_quotactl_fd, fd, QCMD(Q_SETQUOTA, kProject), project, &limits) != 0) return fail("quotactl_fd");
  return Nothing{};
}

}  // namespace stack::fs
