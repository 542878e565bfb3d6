#include "shim/forward.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/result.h"

namespace stack::shim {

namespace {

constexpr size_t kLongestLine = 16384;  // as in the log; and journald takes more, syslogd less
constexpr size_t kMostPending = 1 << 20;
constexpr int64_t kRetryNs = 1'000'000'000;
constexpr int kLastMs = 1000;

int64_t nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

struct Date {
  int year, month, day, hour, minute, second;
};

// Not gmtime(3): it would read the host's time zone files. Days to a date after Howard Hinnant's chrono algorithms.
Date date_of(int64_t seconds) {
  int64_t days = seconds / 86400, rest = seconds % 86400;
  int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {static_cast<int>(yoe + era * 400 + (month <= 2)),  month, static_cast<int>(doy - (153 * mp + 2) / 5 + 1),
          static_cast<int>(rest / 3600), static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60)};
}

int format_time(char (&out)[40], uint32_t format, int64_t zone) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  Date at = date_of(now.tv_sec + (format == 1 ? zone : 0));
  static constexpr const char* months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  switch (format) {
    case 1:
      return snprintf(out, sizeof out, "%.3s %2d %02d:%02d:%02d", months + 3 * (at.month - 1), at.day, at.hour, at.minute,
                      at.second);
    case 2:
      return snprintf(out, sizeof out, "%04d-%02d-%02dT%02d:%02d:%02dZ", at.year, at.month, at.day, at.hour, at.minute,
                      at.second);
    case 3:
      return snprintf(out, sizeof out, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", at.year, at.month, at.day, at.hour,
                      at.minute, at.second, now.tv_nsec / 1000);
    default: return 0;
  }
}

void append(std::vector<char>& to, const Reader& bytes) {
  to.insert(to.end(), reinterpret_cast<const char*>(bytes.data()), reinterpret_cast<const char*>(bytes.data()) + bytes.size());
}

}  // namespace

void Forward::write(Stream stream, const char* bytes, size_t size) {
  if (settings_.type == 0) return;
  std::vector<char>& line = line_[static_cast<int>(stream)];
  for (const char* end = bytes + size; bytes < end;) {
    size_t room = kLongestLine - line.size();
    size_t reach = std::min(room + 1, static_cast<size_t>(end - bytes));
    auto newline = static_cast<const char*>(memchr(bytes, '\n', reach));
    size_t length = newline ? static_cast<size_t>(newline - bytes) : std::min(reach, room);
    line.insert(line.end(), bytes, bytes + length);
    bytes += length + (newline ? 1 : 0);
    // Whether a newline comes right behind a part as long as can be, only the next byte tells.
    if (newline || (line.size() == kLongestLine && bytes < end)) send_line(stream);
  }
}

void Forward::end(Stream stream) {
  if (settings_.type == 0) return;
  if (!line_[static_cast<int>(stream)].empty()) send_line(stream);
  drain(kLastMs);
}

void Forward::send_line(Stream stream) {
  std::vector<char>& line = line_[static_cast<int>(stream)];
  char time[40];
  int length = format_time(time, settings_.time, settings_.zone);
  std::vector<char> message;
  append(message, settings_.head[static_cast<int>(stream)]);
  message.insert(message.end(), time, time + length);
  append(message, settings_.middle);
  message.insert(message.end(), line.begin(), line.end());
  append(message, settings_.tail);
  line.clear();
  if (!connect()) return;
  if (settings_.type == SOCK_STREAM) {
    if (!drain(0) || pending_.size() + message.size() > kMostPending) return;
    pending_.insert(pending_.end(), message.begin(), message.end());
    drain(0);
    return;
  }
  for (int tries = 0; tries < 2; tries++) {
    if (retry([&] { return send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT); }) >= 0) return;
    // A full queue, or a message it will never take. Else the daemon was started anew, and has another socket.
    if (errno == EAGAIN || errno == EMSGSIZE) return;
    socket_.reset();
    if (!connect()) return;
  }
}

bool Forward::connect() {
  if (socket_) return true;
  int64_t now = nanoseconds();
  if (now < retry_at_) return false;
  auto address = reinterpret_cast<const sockaddr*>(settings_.address.data());
  auto size = static_cast<socklen_t>(settings_.address.size());
  sa_family_t family;
  if (size < sizeof family) return false;
  memcpy(&family, address, sizeof family);
  for (int tries = 0; tries < 2; tries++) {
    Fd made(socket(family, static_cast<int>(settings_.type) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (made && (::connect(made.get(), address, size) == 0 || errno == EINPROGRESS)) {
      socket_ = std::move(made);
      return true;
    }
    if (errno != EPROTOTYPE) break;  // /dev/log is of one type or of the other
    settings_.type = settings_.type == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM;
  }
  retry_at_ = now + kRetryNs;
  return false;
}

// Sends what waits, as far as the daemon takes it within that time. False where the connection is gone, and with it what waited.
bool Forward::drain(int wait_ms) {
  while (socket_ && !pending_.empty()) {
    ssize_t sent = retry([&] { return send(socket_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (sent > 0) {
      pending_.erase(pending_.begin(), pending_.begin() + sent);
      continue;
    }
    if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) {
      socket_.reset();
      pending_.clear();
      retry_at_ = nanoseconds() + kRetryNs;
      return false;
    }
    pollfd wait{.fd = socket_.get(), .events = POLLOUT};
    if (wait_ms == 0 || poll(&wait, 1, wait_ms) <= 0) break;
  }
  return true;
}

}  // namespace stack::shim
