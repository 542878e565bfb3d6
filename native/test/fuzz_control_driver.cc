// Drives fuzz_control.cc without libFuzzer: the same conversations for the same number.
//   fuzz_control_driver <frames> <number> <program>…     until so many frames were told; the programs are for exec
// An input that is read wrong is printed in hex, after the sanitizer's report.
#include <sanitizer/asan_interface.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "test/fuzz_control.h"
#include "test/fuzz_driving.h"

using stack::shim::control_counts;

namespace {

void append(Bytes& to, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; i++) to.push_back(static_cast<uint8_t>(value >> 8 * i));
}

uint64_t interesting() {
  const uint64_t values[] = {0, 1, 2, 7, 9, 15, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX, random_bits()};
  return values[below(std::size(values))];
}

// One frame, most of them well-formed, of each type and of none.
Bytes frame_of(const std::vector<Bytes>& programs) {
  constexpr uint16_t kExec = 4;
  Bytes body;
  auto type = static_cast<uint16_t>(below(8) ? 1 + below(9) : random_bits());
  if (type == kExec && below(4)) {
    body = programs[below(programs.size())];
    for (size_t left = below(3); left > 0; left--) body[below(body.size())] ^= 1 << below(8);
    if (below(4) == 0) body.resize(below(body.size()));
  } else {
    for (size_t left = below(5); left > 0; left--) append(body, interesting(), 1 << below(4));
  }
  Bytes made;
  append(made, below(24) ? body.size() + 2 : interesting(), 4);
  append(made, type, 2);
  made.insert(made.end(), body.begin(), body.end());
  return made;
}

// What two clients write: frames, whole and in pieces, with descriptors.
Bytes conversation(const std::vector<Bytes>& programs) {
  Bytes said;
  auto chunk = [&](const uint8_t* bytes, size_t size, uint8_t how) {
    said.push_back(how);
    append(said, size, 2);
    said.insert(said.end(), bytes, bytes + size);
  };
  for (size_t frames = 1 + below(12); frames > 0; frames--) {
    Bytes frame;
    for (size_t count = below(6) ? 1 : 1 + below(4); count > 0; count--) {
      Bytes one = frame_of(programs);
      frame.insert(frame.end(), one.begin(), one.end());
    }
    if (frame.size() > 0xffff) continue;
    auto how = static_cast<uint8_t>(random_bits() & (below(3) ? 9 : 15));
    size_t at = below(4) ? frame.size() : below(frame.size());
    chunk(frame.data(), at, how);
    if (at < frame.size()) chunk(frame.data() + at, frame.size() - at, how & 1);
  }
  if (below(16) == 0) said[below(said.size())] ^= 1 << below(8);
  return said;
}

}  // namespace

// The confined thread could open no file to find names in: addr2line(1) does it for the addresses of the report.
extern "C" const char* __asan_default_options() { return "symbolize=0:handle_abort=1"; }

int main(int argc, char** argv) {
  if (argc < 4) return fprintf(stderr, "usage: fuzz_control_driver <frames> <number> <program>…\n"), 2;
  uint64_t frames = strtoull(argv[1], nullptr, 10);
  state = strtoull(argv[2], nullptr, 10);
  std::vector<Bytes> programs;
  for (int i = 3; i < argc; i++) {
    programs.push_back(read_file(argv[i]));
    if (programs.back().empty()) return fprintf(stderr, "%s: no program\n", argv[i]), 2;
  }
  __sanitizer_set_death_callback(print_input);
  while (control_counts.frames < frames) {
    input = conversation(programs);
    run_input();
  }
  printf("{\"frames\":%lu,\"answers\":%lu,\"dropped\":%lu,\"execs\":%lu}\n", control_counts.frames, control_counts.answers,
         control_counts.dropped, control_counts.execs);
  fflush(stdout);
}
