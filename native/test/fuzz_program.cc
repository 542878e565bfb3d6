// libFuzzer target: the decoder of programs and of the settings in them. Build and run:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Inative native/test/fuzz_program.cc
//   native/shim/settings.cc -o fuzz_program
//   ./fuzz_program -max_len=4096 -max_total_time=60
#include "shim/monitor.h"

using namespace stack::shim;

// Reads every step as each of the field kinds in turn: what the appliers do, whatever the code says.
static void read_all(Reader steps) {
  Step step;
  while (next(steps, step)) {
    for (Reader body : {step.body}) (void)body.strings();
    for (Reader body : {step.body}) (void)body.numbers();
    Reader texts = step.body;
    while (!texts.done()) (void)strlen(texts.string());
    Reader nested = step.body;
    while (!nested.done()) {
      Reader inner = nested.bytes();
      if (inner.size() > 0 && inner.size() < step.body.size()) read_all(inner);
    }
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  // A copy of exactly the size, so that a byte too far is seen.
  std::vector<uint8_t> copy(bytes, bytes + size);
  copy.shrink_to_fit();
  Reader steps = open_program(copy.data(), copy.size());
  if (!steps.bad()) {
    Settings settings;
    if (read_settings(steps, settings)) read_all(settings.process);
    read_all(steps);
  }
  return 0;
}
