// When and where a process runs. Each value is decided in TypeScript; a kernel that refuses it is named in the error.
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/steps.h"

namespace stack::shim {

namespace {
constexpr int kWhoProcess = 1;  // IOPRIO_WHO_PROCESS, ioprio_set(2)
}

// `struct sched_attr` as sched_setattr(2) takes it.
bool set_scheduler(Process& process, Reader& body) {
  Reader attributes = body.bytes();
  if (body.bad() || attributes.size() < 48) return errno = EPROTO, failed(process, "sched_setattr");
  return syscall(SYS_sched_setattr, 0, attributes.data(), 0) == 0 || failed(process, "sched_setattr", "scheduler");
}

bool set_io_priority(Process& process, uint32_t value) {
  return syscall(SYS_ioprio_set, kWhoProcess, 0, value) == 0 || failed(process, "ioprio_set", "ioPriority");
}

// A mask of processors, sched_setaffinity(2).
bool set_affinity(Process& process, Reader& body) {
  Reader mask = body.bytes();
  if (body.bad()) return errno = EPROTO, failed(process, "sched_setaffinity");
  return syscall(SYS_sched_setaffinity, 0, mask.size(), mask.data()) == 0 ||
         failed(process, "sched_setaffinity", "execCPUAffinity");
}

bool set_memory_policy(Process& process, Reader& body) {
  uint32_t mode = body.u32();
  Reader nodes = body.bytes();
  if (body.bad()) return errno = EPROTO, failed(process, "set_mempolicy");
  // The kernel reads one bit less than it is told.
  unsigned long bits = nodes.size() * 8 + (nodes.size() ? 1 : 0);
  return syscall(SYS_set_mempolicy, mode, nodes.size() ? nodes.data() : nullptr, bits) == 0 ||
         failed(process, "set_mempolicy", "memoryPolicy");
}

}  // namespace stack::shim
