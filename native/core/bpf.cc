#include "core/bpf.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace stack {

static int bpf(bpf_cmd command, bpf_attr* attributes) {
  return static_cast<int>(retry([&] { return syscall(SYS_bpf, command, attributes, sizeof *attributes); }));
}

Result<Fd> load_device_filter(const std::vector<uint8_t>& instructions) {
  static const char license[] = "Apache-2.0";
  char log[4096] = "";
  bpf_attr load;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<uintptr_t>(instructions.data());
  load.insn_cnt = static_cast<uint32_t>(instructions.size() / sizeof(bpf_insn));
  load.license = reinterpret_cast<uintptr_t>(license);
  Fd program(bpf(BPF_PROG_LOAD, &load));
  if (program) return program;
  int reason = errno;
  load.log_level = 1;
  load.log_buf = reinterpret_cast<uintptr_t>(log);
  load.log_size = sizeof log;
  Fd again(bpf(BPF_PROG_LOAD, &load));
  if (again) return again;
  return Error{"BPF_PROG_LOAD", reason, log};
}

Result<bool> attach_device_filter(int cgroup, int program, bool replaces) {
  uint32_t present[64];
  bpf_attr query;
  memset(&query, 0, sizeof query);
  query.query.target_fd = static_cast<uint32_t>(cgroup);
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = reinterpret_cast<uintptr_t>(present);
  query.query.prog_cnt = sizeof present / sizeof *present;
  if (bpf(BPF_PROG_QUERY, &query) != 0) return fail("BPF_PROG_QUERY");
  uint32_t count = query.query.prog_cnt;
  if (count > 0 && !replaces) return false;
  std::vector<Fd> old;
  for (uint32_t at = 0; at < count; at++) {
    bpf_attr get;
    memset(&get, 0, sizeof get);
    get.prog_id = present[at];
    old.emplace_back(bpf(BPF_PROG_GET_FD_BY_ID, &get));
    if (!old.back()) return fail("BPF_PROG_GET_FD_BY_ID");
  }
  bpf_attr attach;
  memset(&attach, 0, sizeof attach);
  attach.target_fd = static_cast<uint32_t>(cgroup);
  attach.attach_bpf_fd = static_cast<uint32_t>(program);
  attach.attach_type = BPF_CGROUP_DEVICE;
  // Containers inside the container may attach filters below. Without ALLOW_MULTI there is one program, which any other
  // takes the place of.
  attach.attach_flags = count > 0 ? query.query.attach_flags : BPF_F_ALLOW_MULTI;
  bool is_multi = attach.attach_flags & BPF_F_ALLOW_MULTI;
  if (count > 0 && is_multi) {
    // One step with the first of the old ones (Linux 5.6): at no moment is there no filter.
    attach.attach_flags |= BPF_F_REPLACE;
    attach.replace_bpf_fd = static_cast<uint32_t>(old.front().get());
  }
  if (bpf(BPF_PROG_ATTACH, &attach) != 0) return fail("BPF_PROG_ATTACH");
  for (uint32_t at = 1; at < count && is_multi; at++) {
    bpf_attr detach;
    memset(&detach, 0, sizeof detach);
    detach.target_fd = static_cast<uint32_t>(cgroup);
    detach.attach_bpf_fd = static_cast<uint32_t>(old[at].get());
    detach.attach_type = BPF_CGROUP_DEVICE;
    if (bpf(BPF_PROG_DETACH, &detach) != 0) return fail("BPF_PROG_DETACH");
  }
  return true;
}

}  // namespace stack
