// The resolver's loop, asked over real sockets. Run by native.test.ts in two builds:
//   resolver_test           with sanitizers, the loop in a plain child process
//   resolver_test lookup <table> <name> <type>
//   resolver_test confined  as the shim spawns it: another network namespace, no rights (needs root)
#include "shim/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include "shim/resolver_server.h"
#include "test/check.h"

using namespace stack;
using namespace stack::test;
using dns::Type;

namespace {

constexpr uint16_t a = 1;

sockaddr_in loopback(uint16_t port) {
  return {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

// Sockets bound to one port of 127.0.0.1 that is free for both protocols.
uint16_t bind_both(int& udp, int& tcp) {
  for (;;) {
    udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    CHECK(bind(udp, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK(getsockname(udp, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    if (bind(tcp, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(tcp, 64) == 0)
      return ntohs(address.sin_port);
    close(udp), close(tcp);
  }
}

int dial(int type, const sockaddr_in& to) {
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  timeval patience{.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  CHECK(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

Bytes framed(const Bytes& message) {
  Bytes out = {static_cast<uint8_t>(message.size() >> 8), static_cast<uint8_t>(message.size())};
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

Bytes read_exactly(int fd, size_t size) {
  Bytes out(size);
  for (size_t have = 0; have < size;) {
    ssize_t got = recv(fd, out.data() + have, size - have, 0);
    CHECK(got > 0);
    have += static_cast<size_t>(got);
  }
  return out;
}

Bytes read_framed(int fd) { return read_exactly(fd, dns::get16(read_exactly(fd, 2).data())); }

Bytes receive(int fd) {
  Bytes out(65535);
  ssize_t got = recv(fd, out.data(), out.size(), 0);
  CHECK(got > 0);
  out.resize(static_cast<size_t>(got));
  return out;
}

// What an upstream says to a query: its name's address, built on the query.
Bytes reply_to(const Bytes& query, unsigned rcode = 0, size_t records = 1) {
  Bytes out = query;
  out[2] |= 0x80;
  out[3] = static_cast<uint8_t>(rcode);
  dns::put16(&out[6], static_cast<unsigned>(records));
  for (size_t i = 0; i < records; ++i) {
    Bytes record = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, static_cast<uint8_t>(i)};
    out.insert(out.end(), record.begin(), record.end());
  }
  return out;
}

struct UpstreamServer {
  int udp, tcp;
  uint16_t port = bind_both(udp, tcp);
  // Sees each datagram; what it returns goes back to who asked.
  std::function<std::vector<Bytes>(const Bytes&)> on_query = [](const Bytes& query) {
    return std::vector<Bytes>{reply_to(query)};
  };
  std::vector<Bytes> seen;

  void pump() {
    Bytes query(2048);
    sockaddr_in from;
    socklen_t size = sizeof from;
    for (ssize_t got;
         (got = recvfrom(udp, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&from), &size)) > 0;) {
      seen.emplace_back(query.begin(), query.begin() + got);
      for (const Bytes& reply : on_query(seen.back()))
        sendto(udp, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
    int peer = accept4(tcp, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    // Whoever asked may have gone meanwhile, and the resolver with its question.
    uint8_t input[2 + dns::max_query];
    if (ssize_t got = recv(peer, input, sizeof input, 0); got > 2) {
      Bytes answer = framed(reply_to(Bytes(input + 2, input + got), 0, 500));
      // In two pieces, as a network would.
      send(peer, answer.data(), 1000, MSG_NOSIGNAL);
      usleep(2'000);
      send(peer, answer.data() + 1000, answer.size() - 1000, MSG_NOSIGNAL);
    }
    close(peer);
  }
};

// A resolver in a child, its broker and its upstreams served by this process while it waits for an answer.
struct World {
  TableBuilder names;
  UpstreamServer upstreams[2];
  ResolverConfig config{};
  sockaddr_in address{};
  pid_t child = -1;
  int broker = -1;

  World() {
    names.live(0, true), names.live(1, true);
    names.publish({{"db", {{Type::a, 2, "\n\1\1\4"}}}, {"web", {{Type::a, 0, "\n\1\1\2"}, {Type::a, 1, "\n\1\1\3"}}}});
    config.tables[0] = names.table();
    config.table_count = 1;
    config.upstream_count = 2;
    for (int i = 0; i < 2; ++i) config.upstreams[i].v4 = loopback(upstreams[i].port);
  }

  void start() {
    address = loopback(bind_both(config.udp_fd, config.tcp_fd));
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    child = fork();
    if (child == 0) {
      close(ends[0]);
      for (UpstreamServer& upstream : upstreams) close(upstream.udp), close(upstream.tcp);
      ResolverServer::run(config, config.udp_fd, config.tcp_fd, ends[1]);
    }
    close(ends[1]);
    broker = ends[0];
  }

  // Serves the others until `fd` has something to read.
  void until_readable(int fd) {
    for (;;) {
      pollfd fds[] = {{fd, POLLIN, 0},
                      {broker, POLLIN, 0},
                      {upstreams[0].udp, POLLIN, 0},
                      {upstreams[1].udp, POLLIN, 0},
                      {upstreams[0].tcp, POLLIN, 0},
                      {upstreams[1].tcp, POLLIN, 0}};
      CHECK(poll(fds, 6, 10'000) > 0);
      if (fds[1].revents) CHECK(resolver_broker(broker, config));
      for (UpstreamServer& upstream : upstreams) upstream.pump();
      if (fds[0].revents) return;
    }
  }

  Bytes by_udp(const Bytes& query) {
    int fd = dial(SOCK_DGRAM, address);
    CHECK(send(fd, query.data(), query.size(), 0) > 0);
    until_readable(fd);
    Bytes answer = receive(fd);
    close(fd);
    return answer;
  }

  ~World() {
    if (child < 0) return;
    close(broker);
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(config.udp_fd), close(config.tcp_fd);
  }
};

void own_names_are_answered() {
  World world;
  world.start();
  Bytes first = world.by_udp(ask("web", a, 1)), second = world.by_udp(ask("WEB", a, 2));
  CHECK(answers(first) == 2 && answers(second) == 2 && contents(first)[0] == contents(second)[1]);
  CHECK(world.upstreams[0].seen.empty());
  Bytes bad = ask("web", a);
  bad[5] = 9;
  CHECK(rcode(world.by_udp(bad)) == 1);
}

void other_names_are_forwarded() {
  World world;
  world.start();
  // Noise before the truth: wrong id, wrong question, no response.
  world.upstreams[0].on_query = [](const Bytes& query) {
    Bytes other_id = reply_to(query, 3), other_name = reply_to(query, 3), echo = query;
    other_id[0] ^= 0xff;
    other_name[13] ^= 1;
    return std::vector<Bytes>{other_id, other_name, echo, reply_to(query)};
  };
  Bytes query = ask("example.org", a, 77, 1232);
  Bytes answer = world.by_udp(query);
  CHECK(dns::get16(answer.data()) == 77 && rcode(answer) == 0 && answers(answer) == 1);
  Bytes seen = world.upstreams[0].seen.at(0);
  CHECK(std::equal(seen.begin() + 2, seen.end(), query.begin() + 2, query.end()));
  // A stopped container's name is nobody's here.
  world.by_udp(ask("db", a, 78));
  CHECK(world.upstreams[0].seen.size() == 2 && world.upstreams[1].seen.empty());
}

void the_next_upstream_is_asked() {
  World world;
  world.start();
  world.upstreams[0].on_query = [](const Bytes& query) { return std::vector<Bytes>{reply_to(query, 2)}; };
  CHECK(rcode(world.by_udp(ask("failing.org", a))) == 0 && world.upstreams[1].seen.size() == 1);
  world.upstreams[0].on_query = [](const Bytes&) { return std::vector<Bytes>{}; };
  CHECK(rcode(world.by_udp(ask("silent.org", a))) == 0 && world.upstreams[1].seen.size() == 2);
  close(world.upstreams[0].udp);
  world.upstreams[0].udp = dup(world.upstreams[1].tcp);
  CHECK(rcode(world.by_udp(ask("closed.org", a))) == 0 && world.upstreams[1].seen.size() == 3);
  world.upstreams[1].on_query = world.upstreams[0].on_query;
  CHECK(rcode(world.by_udp(ask("nobody.org", a))) == 2);
}

void without_upstreams_a_name_does_not_exist() {
  World world;
  world.config.forward = false;
  world.start();
  CHECK(rcode(world.by_udp(ask("example.org", a))) == 3 && rcode(world.by_udp(ask("web", a))) == 0);
  CHECK(world.upstreams[0].seen.empty());
}

void tcp_is_served() {
  World world;
  world.start();
  int fd = dial(SOCK_STREAM, world.address);
  // Two queries in one segment, then one in pieces, then one that goes upstream; then our half is closed.
  Bytes both = framed(ask("web", a, 1)), second = framed(ask("web", a, 2)), third = framed(ask("web", a, 3));
  both.insert(both.end(), second.begin(), second.end());
  CHECK(send(fd, both.data(), both.size(), 0) == static_cast<ssize_t>(both.size()));
  CHECK(dns::get16(read_framed(fd).data()) == 1 && dns::get16(read_framed(fd).data()) == 2);
  CHECK(send(fd, third.data(), 5, 0) == 5);
  usleep(20'000);
  CHECK(send(fd, third.data() + 5, third.size() - 5, 0) == static_cast<ssize_t>(third.size() - 5));
  CHECK(dns::get16(read_framed(fd).data()) == 3);
  Bytes far = framed(ask("example.org", a, 4));
  CHECK(send(fd, far.data(), far.size(), 0) == static_cast<ssize_t>(far.size()) && shutdown(fd, SHUT_WR) == 0);
  world.until_readable(fd);
  Bytes answer = read_framed(fd);
  CHECK(dns::get16(answer.data()) == 4 && answers(answer) == 500);
  char byte;
  CHECK(recv(fd, &byte, 1, 0) == 0);
  close(fd);
}

void a_hostile_client_is_bounded() {
  World world;
  world.start();
  world.upstreams[0].on_query = world.upstreams[1].on_query = [](const Bytes&) { return std::vector<Bytes>{}; };
  // More connections than there is room for, each with half a query; those beyond the room push out the oldest.
  std::vector<int> idle;
  for (int i = 0; i < 40; ++i) {
    idle.push_back(dial(SOCK_STREAM, world.address));
    CHECK(send(idle.back(), "\0\50half", 6, MSG_NOSIGNAL) > 0);
  }
  // More questions to silent upstreams than the table of pending ones holds: refused at once, and nothing else suffers.
  int flood = dial(SOCK_DGRAM, world.address);
  for (uint16_t i = 0; i < 200; ++i) {
    Bytes query = ask("flood.org", a, i);
    CHECK(send(flood, query.data(), query.size(), 0) > 0);
    if (i % 20 == 19) CHECK(answers(world.by_udp(ask("web", a))) == 2);
  }
  world.until_readable(flood);
  CHECK(rcode(receive(flood)) == 2);
  // A connection whose message is longer than any query is closed.
  int liar = dial(SOCK_STREAM, world.address);
  CHECK(send(liar, "\xff\xff", 2, 0) == 2);
  char byte;
  CHECK(recv(liar, &byte, 1, 0) <= 0);
  for (int fd : idle) close(fd);
  close(flood), close(liar);
}

// Damaged queries by both ways and damaged replies from upstream, then a sound question: it still stands and answers.
void noise_is_survived() {
  World world;
  std::mt19937 random(7);
  auto damaged = [&](Bytes bytes) {
    for (unsigned i = random() % 4; i > 0; --i) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
    return bytes;
  };
  world.upstreams[0].on_query = world.upstreams[1].on_query = [&](const Bytes& query) {
    return std::vector<Bytes>{damaged(reply_to(query)), damaged(reply_to(query, 0, 90)), reply_to(query)};
  };
  world.start();
  int udp = dial(SOCK_DGRAM, world.address);
  for (uint16_t i = 0; i < 500; ++i) {
    Bytes query = damaged(ask(i % 2 ? "web" : "example.org", a, i, i % 3 ? 1232 : 0));
    send(udp, query.data(), query.size(), 0);
    if (i % 10 == 0) {
      int tcp = dial(SOCK_STREAM, world.address);
      Bytes stream = framed(query), more = framed(damaged(ask("web", a, i)));
      stream.insert(stream.end(), more.begin(), more.end());
      send(tcp, stream.data(), stream.size(), MSG_NOSIGNAL);
      close(tcp);
    }
    // The other one gets some answer: a reply may be damaged where nobody can tell.
    if (i % 25 == 0) CHECK(answers(world.by_udp(ask("web", a))) == 2 && !world.by_udp(ask("example.org", a)).empty());
  }
  close(udp);
}

std::string field(const std::string& status, const std::string& name) {
  size_t at = status.find("\n" + name + ":");
  CHECK(at != std::string::npos);
  at += name.size() + 2;
  std::string value = status.substr(at, status.find('\n', at) - at);
  value.erase(0, value.find_first_not_of(" \t"));
  return value;
}

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}

void loopback_up() {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
  close(fd);
}

// Host and container are two fresh namespaces; the upstream lives in the host's.
void confined() {
  CHECK(unshare(CLONE_NEWNET) == 0);
  int container = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  CHECK(unshare(CLONE_NEWNET) == 0);
  int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  loopback_up();

  World world;
  int table = memfd_create("names", MFD_CLOEXEC);
  CHECK(write(table, world.names.bytes(), world.names.size()) == static_cast<ssize_t>(world.names.size()));
  CHECK(name_table_map(table, world.config.tables[0]));
  int udp, tcp;
  CHECK(resolver_listen(container, udp, tcp));
  world.config.udp_fd = udp, world.config.tcp_fd = tcp;
  world.child = resolver_spawn(world.config, world.broker);
  CHECK(world.child > 0);

  CHECK(setns(container, CLONE_NEWNET) == 0);
  loopback_up();
  world.address = {.sin_family = AF_INET, .sin_port = htons(resolver_port), .sin_addr = {htonl(resolver_address)}};
  int asker = dial(SOCK_DGRAM, world.address), stream = dial(SOCK_STREAM, world.address);
  CHECK(setns(host, CLONE_NEWNET) == 0);

  auto by_udp = [&](const Bytes& query) {
    CHECK(send(asker, query.data(), query.size(), 0) > 0);
    world.until_readable(asker);
    return receive(asker);
  };
  CHECK(answers(by_udp(ask("web", a))) == 2);
  CHECK(name_table_set_live(table, 1, false) && answers(by_udp(ask("web", a))) == 1);
  CHECK(name_table_set_live(table, 1, true) && answers(by_udp(ask("web", a))) == 2);
  CHECK(answers(by_udp(ask("example.org", a))) == 1);
  Bytes far = framed(ask("example.org", a, 9));
  CHECK(send(stream, far.data(), far.size(), 0) > 0);
  world.until_readable(stream);
  CHECK(answers(read_framed(stream)) == 500);

  // Once it answers the next question, it has closed what it needed for the last.
  CHECK(answers(by_udp(ask("web", a))) == 2);
  std::string proc = "/proc/" + std::to_string(world.child);
  std::string status = "\n" + slurp(proc + "/status");
  CHECK(field(status, "Name") == "stack-dns" && field(status, "Seccomp") == "2" && field(status, "NoNewPrivs") == "1");
  CHECK(field(status, "Uid") == "2147461053\t2147461053\t2147461053\t2147461053" && field(status, "Groups").empty());
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    CHECK(field(status, set) == "0000000000000000");
  int open_count = 0;
  for (int fd = 0; fd < 64; ++fd) {
    std::string link = proc + "/fd/" + std::to_string(fd);
    char target[256] = {};
    if (readlink(link.c_str(), target, sizeof target - 1) <= 0) continue;
    CHECK(fd > 2 || std::string(target) == "/dev/null");
    ++open_count;
  }
  // Three times /dev/null, three of its own, and the container's connection.
  CHECK(open_count == 7);
  std::printf("resident %s, private %s\n", field(status, "VmRSS").c_str(),
              field("\n" + slurp(proc + "/smaps_rollup"), "Private_Dirty").c_str());

  // It goes with whoever spawned it.
  int pipes[2];
  CHECK(pipe2(pipes, O_CLOEXEC) == 0);
  pid_t shim = fork();
  if (shim == 0) {
    int broker;
    pid_t grandchild = resolver_spawn(world.config, broker);
    CHECK(write(pipes[1], &grandchild, sizeof grandchild) == sizeof grandchild);
    pause();
  }
  pid_t grandchild;
  CHECK(read(pipes[0], &grandchild, sizeof grandchild) == sizeof grandchild && grandchild > 0);
  kill(shim, SIGKILL);
  CHECK(waitpid(shim, nullptr, 0) == shim);
  for (int i = 0; kill(grandchild, 0) == 0 &&
                  slurp("/proc/" + std::to_string(grandchild) + "/stat").find(") Z") == std::string::npos;
       ++i) {
    CHECK(i < 200);
    usleep(10'000);
  }
}

// Prints what a table of the engine's says, a line of hexadecimal for each answer.
void look_up(const char* file, const char* name, uint16_t type) {
  int fd = open(file, O_RDWR | O_CLOEXEC);
  NameTable table;
  CHECK(fd >= 0 && name_table_map(fd, table));
  for (uint16_t slot : {1, 2}) CHECK(name_table_set_live(fd, slot, true));
  Bytes query = ask(name, type), out(512);
  dns::Query parsed;
  dns::Rcode status;
  size_t size = 0;
  CHECK(dns::parse_query(query.data(), query.size(), parsed, status) == dns::Parsed::query);
  if (dns::answer_from_table(table, parsed, query.data(), 0, out.data(), out.size(), size) != dns::Found::answer) {
    std::puts("unknown");
    return;
  }
  out.resize(size);
  for (const std::string& bytes : contents(out)) {
    for (char byte : bytes) std::printf("%02x", static_cast<uint8_t>(byte));
    std::puts("");
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 5 && std::string(arguments[1]) == "lookup") {
    look_up(arguments[2], arguments[3], static_cast<uint16_t>(std::atoi(arguments[4])));
    return 0;
  }
  if (count == 2 && std::string(arguments[1]) == "confined") {
    confined();
    return 0;
  }
  own_names_are_answered();
  other_names_are_forwarded();
  the_next_upstream_is_asked();
  without_upstreams_a_name_does_not_exist();
  tcp_is_served();
  a_hostile_client_is_bounded();
  noise_is_survived();
}
