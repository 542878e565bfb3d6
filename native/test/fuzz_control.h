#pragma once

#include <stddef.h>
#include <stdint.h>

namespace stack::shim {

// How far the inputs came: a fuzzer that is stopped at the door finds nothing.
struct ControlCounts {
  uint64_t frames = 0;     // told whole, in order, by a client the monitor still had
  uint64_t answers = 0;    // of those, the monitor's own frames
  uint64_t dropped = 0;    // clients it parted from
  uint64_t execs = 0;      // programs that went as far as their process
};
extern ControlCounts control_counts;

}  // namespace stack::shim

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);
