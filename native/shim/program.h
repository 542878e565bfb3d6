// The program: what TypeScript decided, as a flat list of steps (engine/runtime/program.ts writes it).
//
//   program := "STKP" u32 version step*
//   step    := u16 code, u16 reserved, u32 length, body[length]
//   string  := u32 length, bytes, NUL          (no NUL inside)
//   list    := u32 count, element*
//
// Little-endian, no padding. Everything is checked against the end of the buffer; a reader that ran past it stays bad.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace stack::shim {

constexpr uint32_t kMagic = 0x504b5453;  // "STKP"
constexpr uint32_t kVersion = 1;

// Codes are shared with engine/runtime/program.ts. Those of the monitor first, then those of a process.
enum class Code : uint16_t {
  kIdentity = 1,
  kLog = 2,
  kRestart = 3,
  kStdio = 4,
  kHealth = 5,
  kDns = 6,
  kHold = 7,
  kCgroup = 8,
  kProcess = 9,
  kEndpoint = 10,
  kNetwork = 11,
  kMonitorCgroup = 12,
  kLaunch = 13,
  kSettle = 14,
  kForward = 15,
  kLink = 16,

  kClone = 100,
  kJoinCgroup = 101,
  kSetns = 102,
  kUnshare = 103,
  kHostname = 104,
  kDomainname = 105,
  kPropagation = 106,
  kOverlay = 107,
  kBindRoot = 108,
  kMount = 110,
  kBind = 111,
  kMknod = 112,
  kSymlink = 113,
  kTerminal = 114,
  kPivot = 115,
  kSysctl = 116,
  kReadonlyRoot = 117,
  kMask = 118,
  kReadonlyPath = 119,
  kRlimit = 120,
  kOomScore = 121,
  kChdir = 122,
  kBounding = 123,
  kUser = 124,
  kCapabilities = 125,
  kNoNewPrivileges = 126,
  kSeccomp = 127,
  kAwait = 128,
  kSession = 129,
  kInit = 130,
  kExec = 131,
  kJoinContainer = 132,
  kUserNamespace = 133,
  kFork = 134,
  kSetnsPath = 135,
  kTimeOffsets = 136,
  kSource = 137,
  kHook = 138,
  kSync = 139,
  kListener = 140,
  kScheduler = 141,
  kIoPriority = 142,
  kAffinity = 143,
  kPersonality = 144,
  kMemoryPolicy = 145,
  kLabel = 146,
  kMoveRoot = 147,
  kAttributes = 148,
  kReconfigure = 149,
  kFiles = 150,
  kKeyring = 151,
  kLoopback = 152,
  kChroot = 153,
  kLookup = 154,
  kSourceBeneath = 155,
};

class Reader {
 public:
  Reader() = default;
  Reader(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  bool bad() const { return bad_; }
  bool done() const { return at_ == end_ || bad_; }
  const uint8_t* data() const { return at_; }
  size_t size() const { return static_cast<size_t>(end_ - at_); }

  template <typename T>
  T number() {
    T value{};
    if (!has(sizeof value)) return value;
    memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  uint8_t u8() { return number<uint8_t>(); }
  uint16_t u16() { return number<uint16_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  int64_t i64() { return number<int64_t>(); }

  // Points into the program; "" when bad.
  const char* string() {
    uint32_t length = u32();
    if (!has(static_cast<size_t>(length) + 1)) return "";
    const char* text = reinterpret_cast<const char*>(at_);
    if (text[length] != '\0' || memchr(text, 0, length)) {
      bad_ = true;
      return "";
    }
    at_ += length + 1;
    return text;
  }

  Reader bytes() {
    uint32_t length = u32();
    if (!has(length)) return {};
    Reader inner(at_, length);
    at_ += length;
    return inner;
  }

  // A count that the rest of the buffer can hold, given the least size of an element.
  uint32_t count(size_t least) {
    uint32_t number = u32();
    if (bad_ || number > size() / least) {
      bad_ = true;
      return 0;
    }
    return number;
  }

  // NULL-terminated, as execve(2) wants it.
  std::vector<const char*> strings() {
    uint32_t number = count(5);
    std::vector<const char*> list;
    list.reserve(number + 1);
    for (uint32_t i = 0; i < number; i++) list.push_back(string());
    list.push_back(nullptr);
    return list;
  }

  std::vector<uint32_t> numbers() {
    uint32_t number = count(4);
    std::vector<uint32_t> list(number);
    for (auto& value : list) value = u32();
    return list;
  }

 private:
  bool has(size_t size) {
    if (!bad_ && size <= static_cast<size_t>(end_ - at_)) return true;
    bad_ = true;
    return false;
  }

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool bad_ = false;
};

struct Step {
  Code code{};
  Reader body;
};

// Next step of a list; false at its end or where it is malformed (then steps.bad()).
inline bool next(Reader& steps, Step& step) {
  if (steps.done()) return false;
  step.code = static_cast<Code>(steps.u16());
  steps.u16();
  step.body = steps.bytes();
  return !steps.bad();
}

// The steps of a whole program, or a bad reader where its head is wrong.
inline Reader open_program(const uint8_t* data, size_t size) {
  Reader reader(data, size);
  if (reader.u32() != kMagic || reader.u32() != kVersion) {
    Reader bad;
    bad.u8();
    return bad;
  }
  return reader;
}

}  // namespace stack::shim
