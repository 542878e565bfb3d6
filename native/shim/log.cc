#include "shim/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/result.h"

namespace stack {

namespace {

constexpr size_t max_part = 16384;
constexpr size_t batch_size = 32768;
// "2026-01-02T03:04:05.123456789Z stdout F "
constexpr size_t time_size = 30, prefix_size = time_size + 10;
static_assert(prefix_size + max_part + 1 <= batch_size);

// RFC 3339 with nanoseconds, UTC. Not gmtime(3): it would read the host's time zone files.
void format_time(char* out) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  auto digits = [](char* at, long value, int count) {
    for (; count > 0; value /= 10) at[--count] = static_cast<char>('0' + value % 10);
  };
  auto is_leap = [](int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; };
  long days = now.tv_sec / 86400, seconds = now.tv_sec % 86400;
  int year = 1970, month = 0;
  for (; days >= 365 + is_leap(year); ++year) days -= 365 + is_leap(year);
  static constexpr uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  auto length = [&] { return lengths[month] + (month == 1 && is_leap(year)); };
  for (; days >= length(); ++month) days -= length();
  memcpy(out, "0000-00-00T00:00:00.000000000Z", time_size);
  digits(out, year, 4);
  digits(out + 5, month + 1, 2);
  digits(out + 8, days + 1, 2);
  digits(out + 11, seconds / 3600, 2);
  digits(out + 14, seconds / 60 % 60, 2);
  digits(out + 17, seconds % 60, 2);
  digits(out + 20, now.tv_nsec, 9);
}

}  // namespace

// Whole records that go out in one write(2).
struct Log::Batch {
  char time[time_size];
  size_t used;
  uint32_t records;
  char bytes[batch_size];
};

Log::~Log() {
  if (fd_ >= 0) close(fd_);
}

bool Log::open(int dirfd, const char* name, uint64_t max_size, unsigned max_files) {
  size_t length = strnlen(name, sizeof name_);
  if (length == sizeof name_) {
    errno = ENAMETOOLONG;
    return false;
  }
  memcpy(name_, name, length + 1);
  dirfd_ = dirfd;
  max_size_ = max_size;
  max_files_ = std::max(1u, max_files);
  return reopen(false);
}

bool Log::reopen(bool is_new) {
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (is_new ? O_TRUNC : 0);
  int fd = retry([&] { return openat(dirfd_, name_, flags, 0640); });
  if (fd < 0) return false;
  struct stat info;
  size_ = fstat(fd, &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
  return true;
}

// name.(n-2) → name.(n-1), …, name → name.1. Where the disk does not let us, the file goes on growing.
bool Log::rotate() {
  char from[sizeof name_ + 12], to[sizeof name_ + 12];
  for (unsigned i = max_files_ - 1; i >= 1; --i) {
    snprintf(to, sizeof to, "%s.%u", name_, i);
    snprintf(from, sizeof from, "%s.%u", name_, i - 1);
    if (renameat(dirfd_, i == 1 ? name_ : from, dirfd_, to) != 0 && errno != ENOENT) return false;
  }
  return reopen(true);
}

void Log::write(Stream stream, const char* bytes, size_t size) {
  if (size == 0) return;
  Batch batch;
  batch.used = 0;
  batch.records = 0;
  format_time(batch.time);
  const char* end = bytes + size;
  while (bytes < end) {
    size_t reach = std::min<size_t>(max_part + 1, static_cast<size_t>(end - bytes));
    auto newline = static_cast<const char*>(memchr(bytes, '\n', reach));
    size_t length = newline ? static_cast<size_t>(newline - bytes) : std::min(reach, max_part);
    append(batch, stream, newline != nullptr, bytes, length);
    bytes += length + (newline ? 1 : 0);
    is_partial_[static_cast<int>(stream)] = !newline;
  }
  flush(batch);
}

void Log::end(Stream stream) {
  if (!is_partial_[static_cast<int>(stream)]) return;
  write(stream, "\n", 1);
}

void Log::append(Batch& batch, Stream stream, bool is_whole, const char* text, size_t size) {
  size_t needed = prefix_size + size + 1;
  bool is_over = max_size_ != 0 && size_ + batch.used != 0 && size_ + batch.used + needed > max_size_;
  if (is_over || batch.used + needed > batch_size) flush(batch);
  // A new file starts with a whole record; a record larger than the limit has a file of its own.
  if (is_over && size_ != 0) rotate();
  char* at = batch.bytes + batch.used;
  memcpy(at, batch.time, time_size);
  memcpy(at + time_size, stream == Stream::out ? " stdout F " : " stderr F ", prefix_size - time_size);
  if (!is_whole) at[prefix_size - 2] = 'P';
  memcpy(at + prefix_size, text, size);
  at[prefix_size + size] = '\n';
  batch.used += needed;
  ++batch.records;
}

void Log::flush(Batch& batch) {
  if (batch.used == 0) return;
  if (lost_ > 0) {
    char note[160];
    int length =
        snprintf(note, sizeof note, "%.*s stderr F stack: %llu log records lost: %s\n", static_cast<int>(time_size),
                 batch.time, static_cast<unsigned long long>(lost_), strerrordesc_np(lost_errno_));
    if (length > 0 && put(note, std::min<size_t>(static_cast<size_t>(length), sizeof note - 1))) lost_ = 0;
  }
  if (lost_ > 0 || !put(batch.bytes, batch.used)) lost_ += batch.records;
  batch.used = 0;
  batch.records = 0;
}

// All of it or nothing: a record torn by a full disk is cut off again.
bool Log::put(const char* bytes, size_t size) {
  if (fd_ < 0 && !(dirfd_ >= 0 && reopen(false))) {
    lost_errno_ = errno;
    return false;
  }
  for (size_t done = 0; done < size;) {
    ssize_t written = retry([&] { return ::write(fd_, bytes + done, size - done); });
    if (written <= 0) {
      lost_errno_ = written < 0 ? errno : EIO;
      if (done > 0 && ftruncate(fd_, static_cast<off_t>(size_)) != 0) size_ += done;
      return false;
    }
    done += static_cast<size_t>(written);
  }
  size_ += size;
  return true;
}

}  // namespace stack
