#include "shim/dns.h"

#include <algorithm>
#include <cstring>

namespace stack::dns {

namespace {

constexpr uint16_t flag_response = 0x8000, mask_opcode = 0x7800, flag_truncated = 0x0200,
                   flag_recursion_desired = 0x0100, flag_recursion_available = 0x0080, flag_checking_disabled = 0x0010;
constexpr uint16_t class_in = 1;
constexpr size_t edns_size = 11;
constexpr uint16_t record_always_live = 1;
constexpr size_t live_offset = 4096, live_size = 65536, buffers_offset = live_offset + live_size;
constexpr size_t key_size = 16, record_size = 24, buffer_header_size = 16;

char lower(uint8_t c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); }

// Bytes a domain name takes at `at`, 0 where it does not end inside the message. A pointer ends it.
size_t skip_name(const uint8_t* bytes, size_t size, size_t at) {
  const size_t start = at;
  while (at < size) {
    uint8_t length = bytes[at];
    if (length == 0) return at + 1 - start;
    if ((length & 0xc0) == 0xc0) return at + 2 <= size ? at + 2 - start : 0;
    if (length & 0xc0) return 0;
    at += 1u + length;
  }
  return 0;
}

// Reads the question's name; false where it is malformed. Pointers have nothing to point to in a first name.
bool read_name(const uint8_t* bytes, size_t size, size_t& at, Query& query) {
  size_t length = 0;
  query.is_plain = true;
  for (;;) {
    if (at >= size) return false;
    uint8_t label = bytes[at++];
    if (label == 0) break;
    if (label > 63 || at + label > size || length + label + (length ? 1 : 0) > max_name) return false;
    if (length) query.name[length++] = '.';
    for (unsigned i = 0; i < label; ++i) {
      uint8_t c = bytes[at++];
      if (c == '.' || c <= ' ' || c == 0x7f) query.is_plain = false;
      query.name[length++] = lower(c);
    }
  }
  query.name[length] = 0;
  query.name_length = static_cast<uint8_t>(length);
  if (length == 0) query.is_plain = false;
  return true;
}

// Looks for the OPT record behind the question; false where a record does not end inside the message.
bool read_edns(const uint8_t* bytes, size_t size, size_t at, unsigned records, Query& query) {
  for (; records > 0; --records) {
    size_t name = skip_name(bytes, size, at);
    if (name == 0 || at + name + 10 > size) return false;
    const uint8_t* fixed = bytes + at + name;
    size_t data = get16(fixed + 8);
    at += name + 10;
    if (at + data > size) return false;
    at += data;
    if (get16(fixed) != static_cast<uint16_t>(Type::opt)) continue;
    query.has_edns = true;
    query.udp_size = std::max<uint16_t>(512, get16(fixed + 2));
  }
  return true;
}

// Header and question of an answer, counts of records still zero.
size_t begin_answer(const Query& query, const uint8_t* bytes, Rcode rcode, uint8_t* out) {
  bool has_question = query.question_end > header_size;
  put16(out, query.id);
  put16(out + 2, flag_response | flag_recursion_available | static_cast<unsigned>(rcode) |
                     (query.flags & (mask_opcode | flag_recursion_desired | flag_checking_disabled)));
  put16(out + 4, has_question ? 1 : 0);
  memset(out + 6, 0, 6);
  memcpy(out + header_size, bytes + header_size, query.question_end - header_size);
  return query.question_end;
}

// RFC 6891 6.1.1: who asks with an OPT record gets one.
size_t end_answer(const Query& query, uint8_t* out, size_t size) {
  if (!query.has_edns) return size;
  static constexpr uint8_t option[edns_size] = {0, 0, 41, max_udp_answer >> 8, max_udp_answer & 0xff, 0, 0, 0, 0, 0, 0};
  memcpy(out + size, option, edns_size);
  put16(out + 10, 1);
  return size + edns_size;
}

// A buffer of the table, its counts read once. The writer may change it under our eyes: a number is loaded once,
// checked, and used; what it says may be wrong, and then the generation has moved.
struct Names {
  const uint8_t* base;
  const uint8_t* live;
  uint64_t size;
  uint32_t keys, records, bytes;
  uint64_t records_at, bytes_at;

  uint32_t u32(uint64_t at) const {
    return __atomic_load_n(reinterpret_cast<const uint32_t*>(base + at), __ATOMIC_RELAXED);
  }
  uint16_t u16(uint64_t at) const {
    return __atomic_load_n(reinterpret_cast<const uint16_t*>(base + at), __ATOMIC_RELAXED);
  }

  bool open(const NameTable& table, uint64_t generation) {
    size = (table.size - buffers_offset) / 2;
    live = table.bytes + live_offset;
    base = table.bytes + buffers_offset + (generation & 1 ? size : 0);
    keys = u32(0);
    records = u32(4);
    bytes = u32(8);
    records_at = buffer_header_size + uint64_t{keys} * key_size;
    bytes_at = records_at + uint64_t{records} * record_size;
    return bytes_at + bytes <= size;
  }

  // A name of the table, or nullptr where it lies outside.
  const char* text(uint32_t offset, uint16_t length) const {
    if (length == 0 || length > max_name || uint64_t{offset} + length > bytes) return nullptr;
    return reinterpret_cast<const char*>(base + bytes_at + offset);
  }

  bool find(const char* name, size_t length, uint32_t& first, uint32_t& count) const {
    uint32_t low = 0, high = keys;
    while (low < high) {
      uint32_t middle = low + (high - low) / 2;
      uint64_t at = buffer_header_size + uint64_t{middle} * key_size;
      uint16_t key_length = u16(at + 4);
      const char* key = text(u32(at), key_length);
      if (!key) return false;
      int order = memcmp(key, name, std::min<size_t>(key_length, length));
      if (order == 0 && key_length == length) {
        first = u32(at + 8);
        count = u32(at + 12);
        return uint64_t{first} + count <= records;
      }
      if (order < 0 || (order == 0 && key_length < length))
        low = middle + 1;
      else
        high = middle;
    }
    return false;
  }

  uint64_t record(uint32_t index) const { return records_at + uint64_t{index} * record_size; }
  bool is_live(uint64_t at) const {
    return u16(at + 4) & record_always_live || __atomic_load_n(live + u16(at + 2), __ATOMIC_RELAXED) != 0;
  }
};

// Labels of a presentation name. 0 where it is none or does not fit.
size_t encode_name(const char* name, size_t length, uint8_t* out, size_t capacity) {
  if (length + 2 > capacity) return 0;
  size_t start = 0, at = 0;
  while (start < length) {
    const void* dot = memchr(name + start, '.', length - start);
    size_t label = (dot ? static_cast<size_t>(static_cast<const char*>(dot) - name) : length) - start;
    if (label == 0 || label > 63) return 0;
    out[at] = static_cast<uint8_t>(label);
    memcpy(out + at + 1, name + start, label);
    at += 1 + label;
    start += label + 1;
  }
  out[at] = 0;
  return at + 1;
}

// One resource record whose name is the question's. 0 where it does not fit, or its data is none.
size_t put_record(const Names& names, uint64_t at, uint16_t type, uint8_t* out, size_t capacity) {
  uint8_t data[max_name + 2];
  size_t length = 0;
  if (type == static_cast<uint16_t>(Type::ptr)) {
    // Copied before it is taken apart: the labels' lengths must not change in between.
    char target[max_name];
    uint16_t target_length = names.u16(at + 6);
    const char* text = names.text(names.u32(at + 8), target_length);
    if (!text) return 0;
    memcpy(target, text, target_length);
    length = encode_name(target, target_length, data, sizeof data);
  } else {
    length = type == static_cast<uint16_t>(Type::a) ? 4 : 16;
    memcpy(data, names.base + at + 8, length);
  }
  if (length == 0 || 12 + length > capacity) return 0;
  put16(out, 0xc000 | header_size);
  put16(out + 2, type);
  put16(out + 4, class_in);
  put16(out + 6, time_to_live >> 16);
  put16(out + 8, time_to_live & 0xffff);
  put16(out + 10, static_cast<unsigned>(length));
  memcpy(out + 12, data, length);
  return 12 + length;
}

}  // namespace

Parsed parse_query(const uint8_t* bytes, size_t size, Query& query, Rcode& rcode) {
  if (size < header_size || get16(bytes + 2) & flag_response) return Parsed::silent;
  query = Query{.id = get16(bytes), .flags = get16(bytes + 2), .question_end = header_size, .udp_size = 512};
  rcode = Rcode::not_implemented;
  if (query.flags & mask_opcode) return Parsed::bad;
  rcode = Rcode::format_error;
  if (size > max_query || get16(bytes + 4) != 1) return Parsed::bad;
  size_t at = header_size;
  if (!read_name(bytes, size, at, query) || at + 4 > size) return Parsed::bad;
  query.type = get16(bytes + at);
  query.qclass = get16(bytes + at + 2);
  query.question_end = static_cast<uint16_t>(at + 4);
  unsigned others = unsigned{get16(bytes + 6)} + get16(bytes + 8) + get16(bytes + 10);
  if (!read_edns(bytes, size, at + 4, others, query)) return Parsed::bad;
  rcode = Rcode::no_error;
  return Parsed::query;
}

Query follow_link(const NameLink* links, size_t count, const Query& query) {
  Query followed = query;
  for (size_t i = 0; query.is_plain && i < count; ++i) {
    if (strcmp(links[i].alias, query.name) != 0) continue;
    size_t length = strlen(links[i].target);
    if (length > max_name) break;
    memcpy(followed.name, links[i].target, length + 1);
    followed.name_length = static_cast<uint8_t>(length);
    break;
  }
  return followed;
}

Found answer_from_table(const NameTable& table, const Query& query, const uint8_t* bytes, uint32_t rotation,
                        uint8_t* out, size_t capacity, size_t& size) {
  size_t reserve = query.has_edns ? edns_size : 0;
  if (!query.is_plain || query.qclass != class_in || query.question_end + reserve > capacity) return Found::unknown;
  auto generation_at = reinterpret_cast<const uint64_t*>(table.bytes + 16);
  for (int attempt = 0; attempt < 16; ++attempt) {
    uint64_t generation = __atomic_load_n(generation_at, __ATOMIC_ACQUIRE);
    Names names;
    uint32_t first = 0, count = 0, matching = 0;
    bool is_known = false, is_truncated = false;
    unsigned answers = 0;
    size_t end = 0;
    if (names.open(table, generation) && names.find(query.name, query.name_length, first, count)) {
      for (uint32_t i = 0; i < count; ++i) {
        uint64_t at = names.record(first + i);
        if (!names.is_live(at)) continue;
        is_known = true;
        if (names.u16(at) == query.type) ++matching;
      }
      bool is_served = query.type == static_cast<uint16_t>(Type::a) ||
                       query.type == static_cast<uint16_t>(Type::aaaa) ||
                       query.type == static_cast<uint16_t>(Type::ptr);
      end = begin_answer(query, bytes, Rcode::no_error, out);
      // From record number `start` to the last, then from the first: each of the live ones takes its turn at the head.
      uint32_t start = 0;
      for (uint32_t skip = matching ? rotation % matching : 0; start < count && skip > 0; ++start) {
        uint64_t at = names.record(first + start);
        if (names.is_live(at) && names.u16(at) == query.type) --skip;
      }
      for (uint32_t i = 0; is_served && matching > 0 && i < count && !is_truncated; ++i) {
        uint64_t at = names.record(first + (start + i) % count);
        if (!names.is_live(at) || names.u16(at) != query.type) continue;
        size_t written = put_record(names, at, query.type, out + end, capacity - end - reserve);
        if (written == 0) is_truncated = true;
        if (written != 0) ++answers;
        end += written;
      }
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(generation_at, __ATOMIC_RELAXED) != generation) continue;
    if (!is_known) return Found::unknown;
    if (is_truncated) put16(out + 2, get16(out + 2) | flag_truncated);
    put16(out + 6, answers);
    size = end_answer(query, out, end);
    return Found::answer;
  }
  return Found::busy;
}

size_t answer_status(const Query& query, const uint8_t* bytes, Rcode rcode, uint8_t* out) {
  return end_answer(query, out, begin_answer(query, bytes, rcode, out));
}

bool is_reply(const uint8_t* reply, size_t reply_size, const uint8_t* query, size_t question_end) {
  if (reply_size < question_end || !(get16(reply + 2) & flag_response)) return false;
  if (memcmp(reply, query, 2) != 0 || get16(reply + 4) != 1) return false;
  // The whole question without regard to case; type and class have no letters worth telling apart from a forger's view.
  size_t fixed = question_end - 4;
  for (size_t i = header_size; i < fixed; ++i)
    if (lower(reply[i]) != lower(query[i])) return false;
  return memcmp(reply + fixed, query + fixed, 4) == 0;
}

}  // namespace stack::dns
