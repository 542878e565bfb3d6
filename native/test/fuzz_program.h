#pragma once

#include <stddef.h>
#include <stdint.h>

namespace stack::shim {

// How far the inputs came: a fuzzer that is stopped at the door finds nothing.
struct FuzzCounts {
  uint64_t opened = 0;    // had a head
  uint64_t accepted = 0;  // were whole programs of a shim
  uint64_t steps = 0;     // steps that were tried
  uint64_t applied = 0;   // of those, read in full and applied
  uint64_t bytes = 0;
};
extern FuzzCounts fuzz_counts;

}  // namespace stack::shim

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);
