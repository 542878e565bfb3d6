// Messages and tables, without a socket. Built with sanitizers and run by native.test.ts.
#include "shim/dns.h"

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "test/check.h"

using namespace stack;
using namespace stack::test;
using dns::Found;
using dns::Parsed;
using dns::Query;
using dns::Rcode;
using dns::Type;

namespace {

constexpr uint16_t a = 1, ptr = 12, mx = 15, aaaa = 28, any = 255;

std::string address(char last) { return std::string("\xac\x12\0", 3) + last; }

struct Outcome {
  Found found;
  Bytes message;
};

Outcome answer(const NameTable& table, const Bytes& bytes, uint32_t rotation = 0, size_t capacity = 512) {
  Query query;
  Rcode rcode;
  CHECK(dns::parse_query(bytes.data(), bytes.size(), query, rcode) == Parsed::query);
  Bytes out(capacity);
  size_t size = 0;
  Found found = dns::answer_from_table(table, query, bytes.data(), rotation, out.data(), capacity, size);
  CHECK(size <= capacity);
  out.resize(size);
  return {found, out};
}

Parsed parse(const Bytes& bytes, Query& query, Rcode& rcode) {
  // An exact copy on the heap: the sanitizer sees one byte too far.
  Bytes exact(bytes);
  exact.shrink_to_fit();
  return dns::parse_query(exact.data(), exact.size(), query, rcode);
}

void queries_are_read() {
  Query query;
  Rcode rcode;
  CHECK(parse(ask("Web.Example", a, 0xbeef, 1232), query, rcode) == Parsed::query);
  CHECK(query.id == 0xbeef && query.type == a && query.qclass == 1 && query.udp_size == 1232 && query.has_edns);
  CHECK(std::string(query.name) == "web.example" && query.name_length == 11 && query.is_plain);
  CHECK(parse(ask("web", a, 1, 100), query, rcode) == Parsed::query && query.udp_size == 512);
  CHECK(parse(ask("", a), query, rcode) == Parsed::query && !query.is_plain);
  Bytes dotted = ask("a-b", a);
  dotted[14] = '.';
  CHECK(parse(dotted, query, rcode) == Parsed::query && !query.is_plain);
}

void bad_queries_are_refused() {
  Query query;
  Rcode rcode;
  Bytes good = ask("web.example", a, 1, 1232);
  for (size_t size = 0; size < good.size(); ++size) {
    Parsed parsed = parse(Bytes(good.begin(), good.begin() + static_cast<long>(size)), query, rcode);
    CHECK(parsed == (size < 12 ? Parsed::silent : Parsed::bad));
    CHECK(size < 12 || rcode == Rcode::format_error);
  }
  Bytes response = good;
  response[2] |= 0x80;
  CHECK(parse(response, query, rcode) == Parsed::silent);
  Bytes update = good;
  update[2] |= 5 << 3;
  CHECK(parse(update, query, rcode) == Parsed::bad && rcode == Rcode::not_implemented);
  Bytes two = good;
  two[5] = 2;
  CHECK(parse(two, query, rcode) == Parsed::bad && rcode == Rcode::format_error);
  Bytes loop = good;
  loop[12] = 0xc0, loop[13] = 0x0c;
  CHECK(parse(loop, query, rcode) == Parsed::bad);
  std::string label(63, 'x');
  std::string longest = label + "." + label + "." + label + "." + std::string(61, 'x');
  CHECK(parse(ask(longest, a), query, rcode) == Parsed::query && query.name_length == 253);
  CHECK(parse(ask(longest + "x", a), query, rcode) == Parsed::bad);
  // The refusal carries the question where there is one, and no more than the header where there is none.
  Bytes out(dns::max_query + 16);
  CHECK(parse(update, query, rcode) == Parsed::bad);
  CHECK(dns::answer_status(query, update.data(), rcode, out.data()) == 12 && (out[3] & 15) == 4 && out[2] & 0x80);
}

void names_are_answered() {
  TableBuilder builder;
  CHECK(answer(builder.table(), ask("web", a)).found == Found::unknown);
  std::string six(16, '\6');
  builder.publish({
      {"2.0.18.172.in-addr.arpa", {{Type::ptr, 1, "demo-web-1.demo_default"}}},
      {"db", {{Type::a, 4, "\x0a\1\1\1"}}},
      {"gateway", {{Type::a, 9, "\x0a\1\1\2", 1}}},
      {"web", {{Type::a, 1, address(2)}, {Type::a, 2, address(3)}, {Type::aaaa, 2, six}, {Type::a, 3, address(4)}}},
      {"webs", {{Type::a, 1, address(2)}}},
  });
  CHECK(answer(builder.table(), ask("web", a)).found == Found::unknown);
  builder.live(1, true), builder.live(2, true), builder.live(3, true);

  std::set<std::string> heads;
  for (uint32_t rotation = 0; rotation < 3; ++rotation) {
    Outcome outcome = answer(builder.table(), ask("WEB", a, 7), rotation);
    CHECK(outcome.found == Found::answer && rcode(outcome.message) == 0 && answers(outcome.message) == 3);
    CHECK(dns::get16(outcome.message.data()) == 7 && (outcome.message[2] & 0x80) && (outcome.message[3] & 0x80));
    CHECK(outcome.message[13] == 'W' && outcome.message[2] & 1);
    heads.insert(contents(outcome.message)[0]);
  }
  CHECK(heads.size() == 3);
  builder.live(2, false);
  heads.clear();
  for (uint32_t rotation = 0; rotation < 8; ++rotation)
    for (const std::string& address : contents(answer(builder.table(), ask("web", a), rotation).message))
      heads.insert(address);
  CHECK(heads.size() == 2 && !heads.count(address(3)));

  // A known name without such a record is an empty answer, or a client that asks for AAAA first gives up.
  for (uint16_t type : {aaaa, mx, any}) {
    Outcome outcome = answer(builder.table(), ask("web", type));
    CHECK(outcome.found == Found::answer && rcode(outcome.message) == 0 && answers(outcome.message) == 0);
  }
  builder.live(2, true);
  CHECK(contents(answer(builder.table(), ask("web", aaaa)).message) == std::vector<std::string>{six});
  CHECK(answer(builder.table(), ask("db", a)).found == Found::unknown);
  CHECK(answer(builder.table(), ask("gateway", a)).found == Found::answer);
  for (const char* absent : {"we", "webss", "aaa", "zzz", "web.demo", "2.0.18.172.in-addr"})
    CHECK(answer(builder.table(), ask(absent, a)).found == Found::unknown);
  Bytes target = encode("demo-web-1.demo_default");
  CHECK(contents(answer(builder.table(), ask("2.0.18.172.in-addr.arpa", ptr)).message)[0] ==
        std::string(target.begin(), target.end()));
  // RFC 6891: an OPT record in the question, one in the answer.
  Bytes extended = answer(builder.table(), ask("web", a, 1, 4096)).message;
  CHECK(dns::get16(&extended[10]) == 1 && extended[extended.size() - 9] == 41);
  Bytes chaos = ask("web", a);
  chaos.back() = 3;
  CHECK(answer(builder.table(), chaos).found == Found::unknown);
}

void long_answers_are_truncated() {
  TableBuilder builder;
  std::vector<Record> replicas;
  for (uint16_t slot = 0; slot < 100; ++slot) {
    replicas.push_back({Type::a, slot, std::string{10, 0, 0, static_cast<char>(slot)}});
    builder.live(slot, true);
  }
  builder.publish({{"web", replicas}});
  Bytes small = answer(builder.table(), ask("web", a)).message;
  CHECK(is_truncated(small) && answers(small) == (512 - 21) / 16 && contents(small).size() == answers(small));
  Bytes whole = answer(builder.table(), ask("web", a), 0, 65535).message;
  CHECK(!is_truncated(whole) && answers(whole) == 100);
}

void damaged_tables_do_no_harm() {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    TableBuilder builder(1024);
    builder.publish(
        {{"a", {{Type::a, 0, "\1\1\1\1"}}}, {"b", {{Type::ptr, 0, "x.y"}}}, {"c", {{Type::aaaa, 0, "\1"}}}});
    builder.live(0, true);
    for (int i = 0; i < 8; ++i) {
      size_t at = 69632 + 1024 + random() % (i < 4 ? 16 : 200);
      builder.bytes()[at] = static_cast<uint8_t>(random() % 3 ? random() : 0xff);
    }
    for (const char* name : {"a", "b", "c", "d"})
      for (uint16_t type : {a, ptr, aaaa}) answer(builder.table(), ask(name, type), random());
  }
}

void readers_see_one_generation() {
  TableBuilder builder(4096);
  builder.live(0, true);
  auto content = [](int turn) {
    std::vector<Record> replicas;
    for (int i = 0; i < 20 + turn % 7; ++i)
      replicas.push_back({Type::a, 0, std::string(4, static_cast<char>('a' + turn % 26))});
    return std::map<std::string, std::vector<Record>>{{turn % 2 ? "aaa" : "zzz", {{Type::a, 0, "...."}}},
                                                      {"web", replicas}};
  };
  builder.publish(content(0));
  std::atomic<bool> is_over = false;
  std::thread writer([&] {
    for (int turn = 0; !is_over; ++turn) builder.publish(content(turn));
  });
  int answered = 0;
  for (int i = 0; i < 4000; ++i) {
    Outcome outcome = answer(builder.table(), ask("web", a), static_cast<uint32_t>(i), 4096);
    CHECK(outcome.found != Found::unknown);
    if (outcome.found == Found::busy) continue;
    ++answered;
    std::vector<std::string> addresses = contents(outcome.message);
    CHECK(addresses.size() >= 20 && std::set<std::string>(addresses.begin(), addresses.end()).size() == 1);
    int turn = addresses[0][0] - 'a';
    CHECK(turn >= 0 && turn < 26);
  }
  is_over = true;
  writer.join();
  CHECK(answered > 0);
}

void links_are_followed() {
  const std::string too_long(254, 'x');
  const NameLink links[] = {{"database", "db"}, {"db", "elsewhere"}, {"far", too_long.c_str()}};
  auto followed = [&](const char* name) {
    Query query;
    Rcode rcode;
    CHECK(parse(ask(name, a), query, rcode) == Parsed::query);
    Query after = dns::follow_link(links, 3, query);
    CHECK(after.name_length == strlen(after.name));
    return std::string(after.name);
  };
  CHECK(followed("DataBase") == "db");
  CHECK(followed("db") == "elsewhere");
  CHECK(followed("other") == "other");
  CHECK(followed("far") == "far");
}

void replies_are_recognised() {
  Bytes query = ask("Web.example", a, 0x4242);
  auto is_reply = [&](const Bytes& reply) {
    return dns::is_reply(reply.data(), reply.size(), query.data(), query.size());
  };
  Bytes reply = ask("weB.example", a, 0x4242);
  CHECK(!is_reply(reply));
  reply[2] |= 0x80;
  CHECK(is_reply(reply));
  for (size_t at : {size_t{0}, size_t{1}, size_t{5}, size_t{13}, reply.size() - 3, reply.size() - 1}) {
    Bytes forged = reply;
    forged[at] ^= 1;
    CHECK(!is_reply(forged));
  }
  reply.pop_back();
  CHECK(!is_reply(reply));
}

}  // namespace

int main() {
  queries_are_read();
  bad_queries_are_refused();
  names_are_answered();
  long_answers_are_truncated();
  damaged_tables_do_no_harm();
  readers_see_one_generation();
  links_are_followed();
  replies_are_recognised();
}
