// Drives fuzz_program.cc without libFuzzer: the same mutations of the same seeds for the same number.
//   fuzz_driver <runs> <number> <program>…     mutations of these programs
//   fuzz_driver 0 0 <program>…                 these programs as they are, one after the other
// Says how far the inputs came; an input that is read wrong is printed in hex, after the sanitizer's report.
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "shim/program.h"
#include "test/fuzz_driving.h"
#include "test/fuzz_program.h"

using namespace stack::shim;

namespace {

constexpr size_t kHead = 8, kStepHead = 8;

void put(Bytes& bytes, size_t at, uint32_t value) {
  if (at + sizeof value <= bytes.size()) memcpy(&bytes[at], &value, sizeof value);
}

// Where the steps of a list begin, and its end.
std::vector<size_t> steps_of(const Bytes& list) {
  std::vector<size_t> starts;
  Reader reader(list.data(), list.size());
  Step step;
  do starts.push_back(static_cast<size_t>(reader.data() - list.data()));
  while (next(reader, step));
  return starts;
}

uint32_t interesting(size_t size) {
  const uint32_t values[] = {0, 1, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8, 0x3fffffff,
                             static_cast<uint32_t>(size), static_cast<uint32_t>(size + 1),
                             static_cast<uint32_t>(below(size + 1)), static_cast<uint32_t>(random_bits())};
  return values[below(std::size(values))];
}

// Anything, anywhere.
void mutate_bytes(Bytes& bytes) {
  if (bytes.empty()) return;
  size_t at = below(bytes.size());
  switch (below(6)) {
    case 0:
      for (size_t left = 1 + below(8); left > 0; left--) bytes[below(bytes.size())] ^= 1 << below(8);
      break;
    case 1: bytes.resize(at); break;
    case 2: put(bytes, at, interesting(bytes.size())); break;
    case 3: bytes.erase(bytes.begin() + at, bytes.begin() + at + below(std::min<size_t>(bytes.size() - at, 64) + 1)); break;
    case 4: bytes.insert(bytes.begin() + at, 1 + below(16), static_cast<uint8_t>(random_bits())); break;
    default: bytes[at] = static_cast<uint8_t>(random_bits());
  }
}

// Splices of lists of steps, and wrong codes, lengths and fields: the steps around stay what they are.
void mutate_steps(Bytes& list, const Bytes& other) {
  auto starts = steps_of(list);
  if (starts.size() < 2) return mutate_bytes(list);
  size_t which = below(starts.size() - 1), from = starts[which], to = starts[which + 1];
  switch (below(6)) {
    case 0: put(list, from + 4, interesting(to - from)); break;
    case 1: put(list, from, static_cast<uint32_t>(below(160))); break;
    case 2: list.erase(list.begin() + from, list.begin() + to); break;
    case 3: {  // a step of another program before this one
      auto theirs = steps_of(other);
      if (theirs.size() < 2) break;
      size_t chosen = below(theirs.size() - 1);
      list.insert(list.begin() + from, other.begin() + theirs[chosen], other.begin() + theirs[chosen + 1]);
      break;
    }
    case 4: {  // a shorter or longer body, its length told right
      Bytes body(list.begin() + from + kStepHead, list.begin() + to);
      mutate_bytes(body);
      list.erase(list.begin() + from + kStepHead, list.begin() + to);
      list.insert(list.begin() + from + kStepHead, body.begin(), body.end());
      put(list, from + 4, static_cast<uint32_t>(body.size()));
      break;
    }
    default:  // a count or a length inside
      if (to - from > kStepHead) put(list, from + kStepHead + below(to - from - kStepHead), interesting(to - from));
  }
}

// The steps of the process in a program of a shim; all there are in another.
Bytes process_of(const Bytes& top) {
  Reader steps(top.data(), top.size());
  Step step;
  while (next(steps, step)) {
    if (step.code != Code::kProcess) continue;
    Reader inner = step.body.bytes();
    return {inner.data(), inner.data() + inner.size()};
  }
  return top;
}

void append(Bytes& to, uint32_t value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof value);
}

// `top` with another process in it.
Bytes with_process(const Bytes& top, const Bytes& process) {
  Bytes made;
  auto starts = steps_of(top);
  for (size_t i = 0; i + 1 < starts.size(); i++) {
    uint16_t code;
    memcpy(&code, &top[starts[i]], sizeof code);
    if (code != static_cast<uint16_t>(Code::kProcess)) {
      made.insert(made.end(), top.begin() + starts[i], top.begin() + starts[i + 1]);
      continue;
    }
    append(made, code);
    append(made, static_cast<uint32_t>(process.size() + 4));
    append(made, static_cast<uint32_t>(process.size()));
    made.insert(made.end(), process.begin(), process.end());
  }
  return made;
}

Bytes mutation(const std::vector<Bytes>& seeds) {
  const Bytes& seed = seeds[below(seeds.size())];
  Bytes head(seed.begin(), seed.begin() + kHead), top(seed.begin() + kHead, seed.end());
  const Bytes& other = seeds[below(seeds.size())];
  Bytes theirs(other.begin() + kHead, other.end());
  for (size_t left = 1 + below(4); left > 0; left--) {
    switch (below(8)) {
      case 0: mutate_bytes(head); break;
      case 1: mutate_bytes(top); break;
      case 2: mutate_steps(top, theirs); break;
      default: {
        Bytes process = process_of(top);
        if (process.size() == top.size()) mutate_steps(top, process_of(theirs));
        else mutate_steps(process, process_of(theirs)), top = with_process(top, process);
      }
    }
  }
  head.insert(head.end(), top.begin(), top.end());
  return head;
}

}  // namespace

// The confined thread could open no file to find names in: addr2line(1) does it for the addresses of the report.
extern "C" const char* __asan_default_options() { return "symbolize=0"; }

int main(int argc, char** argv) {
  if (argc < 4) return fprintf(stderr, "usage: fuzz_driver <runs> <number> <program>…\n"), 2;
  uint64_t runs = strtoull(argv[1], nullptr, 10);
  state = strtoull(argv[2], nullptr, 10);
  std::vector<Bytes> seeds;
  for (int i = 3; i < argc; i++) {
    seeds.push_back(read_file(argv[i]));
    if (runs > 0 && seeds.back().size() < kHead) return fprintf(stderr, "%s: no program\n", argv[i]), 2;
  }
  __sanitizer_set_death_callback(print_input);
  for (uint64_t run = 0; run < (runs ? runs : seeds.size()); run++) {
    input = runs ? mutation(seeds) : seeds[run];
    run_input();
  }
  printf("{\"opened\":%lu,\"accepted\":%lu,\"steps\":%lu,\"applied\":%lu}\n", fuzz_counts.opened, fuzz_counts.accepted,
         fuzz_counts.steps, fuzz_counts.applied);
  fflush(stdout);
}
