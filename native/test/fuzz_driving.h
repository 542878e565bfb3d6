// What the drivers of fuzz targets share: numbers that are the same on every machine, seeds, and the input that was read wrong.
#pragma once

#include <stdint.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

using Bytes = std::vector<uint8_t>;

// splitmix64: the same on every machine.
inline uint64_t state;
inline uint64_t random_bits() {
  uint64_t value = (state += 0x9e3779b97f4a7c15);
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}
inline size_t below(size_t limit) { return limit == 0 ? 0 : random_bits() % limit; }

inline Bytes read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// What is read now, for the sanitizer's report.
inline Bytes input;
inline void print_input() {
  std::string hex = "input: ";
  for (uint8_t byte : input) hex += "0123456789abcdef"[byte >> 4], hex += "0123456789abcdef"[byte & 15];
  hex += '\n';
  if (write(STDERR_FILENO, hex.data(), hex.size()) < 0) return;
}

inline void run_input() {
  alarm(10);  // its death is a failure: no input may be read for ever
  LLVMFuzzerTestOneInput(input.data(), input.size());
}
