// Device filters of cgroup v2: eBPF programs of type BPF_PROG_TYPE_CGROUP_DEVICE (bpf(2), kernel
// admin-guide/cgroup-v2).
#pragma once

#include <cstdint>
#include <vector>

#include "core/fd.h"
#include "core/result.h"

namespace stack {

// `instructions` are struct bpf_insn. A refusal carries the verifier's last words.
Result<Fd> load_device_filter(const std::vector<uint8_t>& instructions);
// True where it was attached now; a cgroup that has filters keeps them, unless the program `replaces` them all.
Result<bool> attach_device_filter(int cgroup, int program, bool replaces);

}  // namespace stack
