// The log writer on real files. Built with sanitizers and run by native.test.ts with an empty directory as argument.
#include "shim/log.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "test/check.h"

using namespace stack;

namespace {

struct Entry {
  std::string stream, tag, text;
};

std::string directory;
int dirfd;

std::string slurp(const std::string& name) {
  std::ifstream file(directory + "/" + name, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}

// Checks the 40 bytes in front of each text and takes them apart.
std::vector<Entry> entries(const std::string& name) {
  const std::string shape = "0000-00-00T00:00:00.000000000Z std... . ";
  std::vector<Entry> out;
  std::string all = slurp(name);
  CHECK(all.empty() || all.back() == '\n');
  for (size_t start = 0, end; start < all.size(); start = end + 1) {
    end = all.find('\n', start);
    std::string line = all.substr(start, end - start);
    CHECK(line.size() >= shape.size());
    for (size_t i = 0; i < shape.size(); ++i)
      CHECK(shape[i] == '0' ? isdigit(line[i]) : shape[i] == '.' && i != 19 ? line[i] != ' ' : line[i] == shape[i]);
    Entry entry{line.substr(31, 6), line.substr(38, 1), line.substr(40)};
    CHECK((entry.stream == "stdout" || entry.stream == "stderr") && (entry.tag == "F" || entry.tag == "P"));
    out.push_back(entry);
  }
  return out;
}

void write(Log& log, const std::string& text, Stream stream = Stream::out) {
  log.write(stream, text.data(), text.size());
}

void lines_and_parts() {
  Log log;
  CHECK(log.open(dirfd, "lines", 0, 1));
  write(log, "one\ntwo\n\nthr");
  write(log, "oops\n", Stream::err);
  write(log, "ee\n");
  write(log, std::string("nul\0and\xff\n", 9));
  write(log, "last");
  log.end(Stream::out);
  log.end(Stream::out);
  log.end(Stream::err);
  const Entry expected[] = {{"stdout", "F", "one"},
                            {"stdout", "F", "two"},
                            {"stdout", "F", ""},
                            {"stdout", "P", "thr"},
                            {"stderr", "F", "oops"},
                            {"stdout", "F", "ee"},
                            {"stdout", "F", std::string("nul\0and\xff", 8)},
                            {"stdout", "P", "last"},
                            {"stdout", "F", ""}};
  std::vector<Entry> found = entries("lines");
  CHECK(found.size() == std::size(expected));
  for (size_t i = 0; i < found.size(); ++i)
    CHECK(found[i].stream == expected[i].stream && found[i].tag == expected[i].tag &&
          found[i].text == expected[i].text);
  struct stat info;
  CHECK(fstatat(dirfd, "lines", &info, 0) == 0 && (info.st_mode & 0777) == 0640);
}

void time_is_now() {
  Log log;
  time_t before = time(nullptr);
  CHECK(log.open(dirfd, "time", 0, 1));
  write(log, "x\n");
  tm date{};
  CHECK(strptime(slurp("time").c_str(), "%Y-%m-%dT%H:%M:%S", &date));
  time_t written = timegm(&date);
  CHECK(written >= before && written <= time(nullptr));
}

void long_lines_are_split() {
  Log log;
  CHECK(log.open(dirfd, "long", 0, 1));
  write(log, std::string(16384, 'a') + "\n" + std::string(16385, 'b') + "\n" + std::string(100000, 'c') + "\n");
  std::vector<Entry> found = entries("long");
  CHECK(found.size() == 1 + 2 + 7);
  CHECK(found[0].tag == "F" && found[0].text.size() == 16384);
  CHECK(found[1].tag == "P" && found[1].text.size() == 16384 && found[2].tag == "F" && found[2].text == "b");
  size_t total = 0;
  for (size_t i = 3; i < found.size(); ++i) {
    CHECK(found[i].tag == (i + 1 == found.size() ? "F" : "P"));
    total += found[i].text.size();
  }
  CHECK(total == 100000);
}

void files_rotate() {
  {
    Log log;
    CHECK(log.open(dirfd, "turn", 1000, 3));
    for (int i = 0; i < 100; ++i) write(log, "record " + std::to_string(i) + "\n");
  }
  int expected = 100;
  for (const char* name : {"turn", "turn.1", "turn.2"}) {
    std::vector<Entry> found = entries(name);
    CHECK(!found.empty() && slurp(name).size() <= 1000);
    for (size_t i = found.size(); i-- > 0;) CHECK(found[i].text == "record " + std::to_string(--expected));
  }
  CHECK(expected > 0 && faccessat(dirfd, "turn.3", F_OK, 0) != 0);
  // Opened again it goes on where it was, and the size counts.
  size_t before = slurp("turn").size();
  Log log;
  CHECK(log.open(dirfd, "turn", 1000, 3));
  write(log, "again\n");
  CHECK(slurp("turn").size() > before || entries("turn.1").back().text == "record 99");
  // One chunk larger than the limit is spread over files, cut between records.
  std::string chunk;
  for (int i = 0; i < 60; ++i) chunk += "chunk " + std::to_string(i) + "\n";
  write(log, chunk);
  CHECK(entries("turn").back().text == "chunk 59" && slurp("turn").size() <= 1000 && slurp("turn.1").size() <= 1000);
}

void one_file_starts_over() {
  Log log;
  CHECK(log.open(dirfd, "single", 200, 1));
  for (int i = 0; i < 50; ++i) write(log, "record " + std::to_string(i) + "\n");
  CHECK(slurp("single").size() <= 200 && entries("single").back().text == "record 49");
  CHECK(faccessat(dirfd, "single.1", F_OK, 0) != 0);
}

void a_full_disk_is_told_of() {
  signal(SIGXFSZ, SIG_IGN);
  rlimit old, tight;
  CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
  tight = old;
  tight.rlim_cur = 500;
  Log log;
  CHECK(log.open(dirfd, "full", 0, 1));
  CHECK(setrlimit(RLIMIT_FSIZE, &tight) == 0);
  for (int i = 0; i < 30; ++i) write(log, "record " + std::to_string(i) + "\n");
  CHECK(log.lost() == 20);
  std::vector<Entry> found = entries("full");
  CHECK(found.size() == 10 && found.back().text == "record 9");
  CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
  write(log, "after\n");
  found = entries("full");
  CHECK(found.size() == 12 && log.lost() == 0);
  CHECK(found[10].stream == "stderr" && found[10].text == "stack: 20 log records lost: File too large");
  CHECK(found[11].text == "after");
}

void a_missing_directory_is_counted() {
  Log log;
  CHECK(!log.open(dirfd, "absent/log", 0, 1));
  write(log, "lost\n");
  CHECK(log.lost() == 1);
}

}  // namespace

int main(int count, char** arguments) {
  CHECK(count == 2);
  directory = arguments[1];
  dirfd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CHECK(dirfd >= 0);
  lines_and_parts();
  time_is_now();
  long_lines_are_split();
  files_rotate();
  one_file_starts_over();
  a_full_disk_is_told_of();
  a_missing_directory_is_counted();
}
