// libFuzzer target: a message from a container against a table whose bytes are the fuzzer's too. Build and run:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Inative native/test/fuzz_dns.cc native/shim/dns.cc
//   -o fuzz_dns
//   ./fuzz_dns -max_len=4096 -max_total_time=60
// Input: two bytes of length, the message, then the current buffer of the table.
#include <cstdlib>
#include <vector>

#include "test/check.h"

using namespace stack;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 4) return 0;
  size_t length = std::min<size_t>(dns::get16(bytes), size - 2);
  // Copies of exactly the size, so that a byte too far is seen.
  std::vector<uint8_t> message(bytes + 2, bytes + 2 + length);
  message.shrink_to_fit();
  size_t rest = size - 2 - length;
  uint32_t buffer = static_cast<uint32_t>((rest + 23) / 8 * 8);
  static test::TableBuilder sizes[] = {test::TableBuilder(64), test::TableBuilder(512), test::TableBuilder(8192)};
  test::TableBuilder* table = nullptr;
  for (test::TableBuilder& each : sizes)
    if (!table && each.size() >= 69632 + 2 * buffer) table = &each;
  if (!table) return 0;
  // The third byte decides: a table out of the fuzzer's bytes, or a sound one with those bytes written over some of it.
  uint8_t* current = table->bytes() + 69632;
  size_t room = (table->size() - 69632) / 2;
  memset(table->bytes() + 16, 0, 8);
  memset(current, 0, 2 * room);
  if (message.size() > 1 && message[0] & 1 && room > 256) {
    using test::Record;
    table->publish({{"a", {{dns::Type::a, 1, "\1\2\3\4"}, {dns::Type::a, 3, "\1\2\3\5"}, {dns::Type::aaaa, 1, "\7"}}},
                    {"b", {{dns::Type::ptr, 5, "web.demo"}}},
                    {"w.x", {{dns::Type::a, 0, "\1\2\3\6"}, {dns::Type::ptr, 9, "a"}}}});
    current += room;
    for (size_t i = 0; i + 1 < rest; i += 2) current[bytes[2 + length + i]] ^= bytes[3 + length + i];
  } else {
    memcpy(current, bytes + 2 + length, rest);
  }
  for (uint16_t slot = 0; slot < 256; ++slot) table->live(slot, slot & 1);

  dns::Query query;
  dns::Rcode rcode;
  dns::Parsed parsed = dns::parse_query(message.data(), message.size(), query, rcode);
  if (parsed == dns::Parsed::silent) return 0;
  std::vector<uint8_t> out(dns::max_query + 16);
  size_t status = dns::answer_status(query, message.data(), dns::Rcode::no_such_name, out.data());
  if (status > out.size()) abort();
  if (parsed == dns::Parsed::bad) return 0;
  for (size_t capacity : {size_t{512}, size_t{1400}, size_t{65535}}) {
    std::vector<uint8_t> answer(capacity);
    size_t written = 0;
    if (dns::answer_from_table(table->table(), query, message.data(), bytes[0], answer.data(), capacity, written) ==
        dns::Found::answer) {
      if (written > capacity || !dns::is_reply(answer.data(), written, message.data(), query.question_end)) abort();
      // What it answers must be a message of its own: read it back as a query.
      answer[2] &= 0x79;
      answer.resize(written);
      dns::Query again;
      if (written <= dns::max_query && dns::parse_query(answer.data(), written, again, rcode) != dns::Parsed::query)
        abort();
    }
  }
  if (dns::is_reply(message.data(), message.size(), out.data(), query.question_end)) abort();
  return 0;
}
