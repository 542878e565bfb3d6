#include "shim/program.h"

#include "shim/monitor.h"
#include "test/check.h"

using namespace stack::shim;

namespace {

Reader over(const std::vector<uint8_t>& bytes) { return {bytes.data(), bytes.size()}; }

void numbers_and_strings() {
  std::vector<uint8_t> bytes{7, 0, 0, 0, 2, 0, 0, 0, 'a', 'b', 0};
  Reader reader = over(bytes);
  CHECK(reader.u32() == 7);
  CHECK(strcmp(reader.string(), "ab") == 0);
  CHECK(reader.done() && !reader.bad());
}

void nothing_is_read_past_the_end() {
  std::vector<uint8_t> bytes{1, 2, 3};
  Reader reader = over(bytes);
  CHECK(reader.u32() == 0 && reader.bad());
  CHECK(reader.u8() == 0);  // stays bad
  std::vector<uint8_t> long_string{255, 255, 255, 255, 'a'};
  reader = over(long_string);
  CHECK(*reader.string() == '\0' && reader.bad());
}

void strings_end_where_they_say() {
  std::vector<uint8_t> no_end{1, 0, 0, 0, 'a', 'b'};
  Reader reader = over(no_end);
  reader.string();
  CHECK(reader.bad());
  std::vector<uint8_t> inside{2, 0, 0, 0, 'a', 0, 0};
  reader = over(inside);
  reader.string();
  CHECK(reader.bad());
}

// A count that the bytes cannot hold must not make the reader reserve memory for it.
void counts_are_bounded() {
  std::vector<uint8_t> bytes{255, 255, 255, 127};
  Reader reader = over(bytes);
  CHECK(reader.strings().size() == 1 && reader.bad());
  reader = over(bytes);
  CHECK(reader.numbers().empty() && reader.bad());
}

void programs_have_a_head() {
  std::vector<uint8_t> wrong{'S', 'T', 'K', 'X', 1, 0, 0, 0};
  CHECK(open_program(wrong.data(), wrong.size()).bad());
  std::vector<uint8_t> empty{'S', 'T', 'K', 'P', 1, 0, 0, 0};
  Reader steps = open_program(empty.data(), empty.size());
  CHECK(!steps.bad() && steps.done());
  Settings settings;
  CHECK(!read_settings(steps, settings));  // a monitor needs a place and a process
}

}  // namespace

int main() {
  numbers_and_strings();
  nothing_is_read_past_the_end();
  strings_end_where_they_say();
  counts_are_bounded();
  programs_have_a_head();
}
