// What the native tests share: an assertion that stays in every build, DNS messages, and a table of names as the engine
// writes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "shim/dns.h"

#define CHECK(condition)                                                             \
  do {                                                                               \
    if (!(condition)) {                                                              \
      std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                  \
    }                                                                                \
  } while (0)

namespace stack::test {

using Bytes = std::vector<uint8_t>;

struct Record {
  dns::Type type;
  uint16_t slot;
  std::string data;
  uint16_t flags = 0;
};

// See resolver.h for the layout. Kept in uint64_t so that it is aligned as a mapping is.
class TableBuilder {
 public:
  explicit TableBuilder(uint32_t buffer = 65536) : words_((69632 + 2 * buffer) / 8), buffer_(buffer) {
    memcpy(bytes(), "STKNAMES\1\0\0\0", 12);
    memcpy(bytes() + 12, &buffer_, 4);
  }
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(words_.data()); }
  size_t size() const { return words_.size() * 8; }
  NameTable table() { return {bytes(), size()}; }
  void live(uint16_t slot, bool is_live) { bytes()[4096 + slot] = is_live; }

  void publish(const std::map<std::string, std::vector<Record>>& names) {
    uint64_t generation;
    memcpy(&generation, bytes() + 16, 8);
    ++generation;
    Bytes keys, records, text;
    uint32_t count = 0;
    for (const auto& [name, list] : names) {
      add<uint32_t>(keys, text.size()), add<uint16_t>(keys, name.size()), add<uint16_t>(keys, 0);
      add<uint32_t>(keys, count), add<uint32_t>(keys, list.size());
      text.insert(text.end(), name.begin(), name.end());
      for (const Record& record : list) {
        bool is_name = record.type == dns::Type::ptr;
        add<uint16_t>(records, static_cast<uint16_t>(record.type)), add<uint16_t>(records, record.slot);
        add<uint16_t>(records, record.flags), add<uint16_t>(records, is_name ? record.data.size() : 0);
        Bytes data;
        if (is_name) {
          add<uint32_t>(data, text.size());
          text.insert(text.end(), record.data.begin(), record.data.end());
        } else {
          data.assign(record.data.begin(), record.data.end());
        }
        data.resize(16);
        records.insert(records.end(), data.begin(), data.end());
        ++count;
      }
    }
    Bytes all;
    add<uint32_t>(all, names.size()), add<uint32_t>(all, count), add<uint32_t>(all, text.size()), add<uint32_t>(all, 0);
    for (const Bytes* part : {&keys, &records, &text}) all.insert(all.end(), part->begin(), part->end());
    CHECK(all.size() <= buffer_);
    uint8_t* at = bytes() + 69632 + (generation & 1 ? buffer_ : 0);
    for (size_t i = 0; i < all.size(); ++i) __atomic_store_n(at + i, all[i], __ATOMIC_RELAXED);
    __atomic_store_n(reinterpret_cast<uint64_t*>(bytes() + 16), generation, __ATOMIC_RELEASE);
  }

 private:
  template <typename Number>
  static void add(Bytes& bytes, size_t value) {
    for (size_t i = 0; i < sizeof(Number); ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  std::vector<uint64_t> words_;
  uint32_t buffer_;
};

inline Bytes encode(const std::string& name) {
  Bytes out;
  for (size_t start = 0; start < name.size();) {
    size_t dot = std::min(name.find('.', start), name.size());
    out.push_back(static_cast<uint8_t>(dot - start));
    out.insert(out.end(), name.begin() + static_cast<long>(start), name.begin() + static_cast<long>(dot));
    start = dot + 1;
  }
  out.push_back(0);
  return out;
}

// `edns`: the payload size offered, 0 for none.
inline Bytes ask(const std::string& name, uint16_t type, uint16_t id = 0x1234, uint16_t edns = 0) {
  Bytes out = {uint8_t(id >> 8), uint8_t(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, uint8_t(edns ? 1 : 0)};
  Bytes encoded = encode(name);
  out.insert(out.end(), encoded.begin(), encoded.end());
  for (uint8_t byte : {uint8_t(type >> 8), uint8_t(type), uint8_t(0), uint8_t(1)}) out.push_back(byte);
  if (edns) {
    Bytes option = {0, 0, 41, uint8_t(edns >> 8), uint8_t(edns), 0, 0, 0, 0, 0, 0};
    out.insert(out.end(), option.begin(), option.end());
  }
  return out;
}

inline unsigned rcode(const Bytes& message) { return message.at(3) & 15u; }
inline unsigned answers(const Bytes& message) { return dns::get16(&message.at(6)); }
inline bool is_truncated(const Bytes& message) { return message.at(2) & 2; }

// The data of each answer, of messages whose answers all point to the question's name.
inline std::vector<std::string> contents(const Bytes& message) {
  size_t at = 12;
  while (message.at(at)) at += 1u + message[at];
  at += 5;
  std::vector<std::string> out;
  for (unsigned i = 0; i < answers(message); ++i) {
    CHECK(dns::get16(&message.at(at)) == 0xc00c);
    size_t length = dns::get16(&message.at(at + 10));
    CHECK(at + 12 + length <= message.size());
    out.emplace_back(message.begin() + static_cast<long>(at) + 12,
                     message.begin() + static_cast<long>(at + 12 + length));
    at += 12 + length;
  }
  return out;
}

}  // namespace stack::test
