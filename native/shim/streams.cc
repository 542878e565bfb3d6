#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "shim/monitor.h"

namespace stack::shim {

namespace {
// More than a pipe holds; a reader that is stuck through restart after restart is given up.
constexpr size_t kMaxPending = 4 << 20;
constexpr ssize_t kTerminalCapacity = 1 << 20;
}  // namespace

// Pipes for a container without a terminal; with one, its master arrives by report. `stdio` are the child's ends, which
// the caller closes.
bool Monitor::open_streams(int (&stdio)[3]) {
  if (settings_.has_terminal) return true;
  for (int i = 0; i < 2; i++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    output_[i] = Fd(ends[0]);
    stdio[1 + i] = ends[1];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    watch(ends[0], i == 0 ? Source::kOutput : Source::kError, 0, EPOLLIN);
  }
  if (settings_.has_stdin) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    stdio[0] = ends[0];
    input_ = Fd(ends[1]);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
  }
  return true;
}

bool Monitor::is_blocked(Stream stream) const {
  return std::any_of(sinks_.begin(), sinks_.end(), [&](auto& s) { return s->stream == stream && !s->pending.empty(); });
}

void Monitor::drop_sink(size_t index) {
  sinks_.erase(sinks_.begin() + static_cast<long>(index));
  // The others moved down by one: their registrations name the old places.
  for (size_t i = index; i < sinks_.size(); i++) {
    if (!sinks_[i]->pending.empty()) watch(sinks_[i]->fd.get(), Source::kSink, static_cast<uint32_t>(i), EPOLLOUT, true);
  }
}

void Monitor::feed(Stream stream, const char* data, size_t size) {
  log_.write(stream, data, size);
  forward_.write(stream, data, size);
  for (size_t i = 0; i < sinks_.size();) {
    Sink& sink = *sinks_[i];
    if (sink.stream == stream) {
      bool is_first = sink.pending.empty();
      ssize_t written = is_first ? write(sink.fd.get(), data, size) : 0;
      bool is_gone = written < 0 && errno != EAGAIN && errno != EINTR;
      if (is_gone || sink.pending.size() > kMaxPending) {
        drop_sink(i);
        continue;
      }
      size_t done = written < 0 ? 0 : static_cast<size_t>(written);
      sink.pending.insert(sink.pending.end(), data + done, data + size);
      if (is_first && done < size) watch(sink.fd.get(), Source::kSink, static_cast<uint32_t>(i), EPOLLOUT);
    }
    i++;
  }
}

void Monitor::on_output(Stream stream) {
  Fd& source = output_[static_cast<int>(stream)];
  Source kind = stream == Stream::out ? Source::kOutput : Source::kError;
  if (!source) return;
  if (is_blocked(stream)) {
    watch(source.get(), kind, 0, 0, true);
    return;
  }
  char buffer[65536];
  ssize_t size = read(source.get(), buffer, sizeof buffer);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    log_.end(stream);
    forward_.end(stream);
    source.reset();
    return;
  }
  feed(stream, buffer, static_cast<size_t>(size));
}

void Monitor::on_sink(uint32_t index) {
  if (index >= sinks_.size()) return;
  Sink& sink = *sinks_[index];
  ssize_t written = write(sink.fd.get(), sink.pending.data(), sink.pending.size());
  Stream stream = sink.stream;
  if (written < 0 && errno != EAGAIN && errno != EINTR) {
    drop_sink(index);
  } else if (written > 0) {
    sink.pending.erase(sink.pending.begin(), sink.pending.begin() + written);
    if (!sink.pending.empty()) return;
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, sink.fd.get(), nullptr);
  }
  Fd& source = output_[static_cast<int>(stream)];
  if (source && !is_blocked(stream)) {
    watch(source.get(), stream == Stream::out ? Source::kOutput : Source::kError, 0, EPOLLIN, true);
  }
}

void Monitor::on_input() {
  char buffer[65536];
  int target = settings_.has_terminal ? output_[0].get() : input_.get();
  ssize_t size = read(input_source_.get(), buffer, sizeof buffer);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    input_source_.reset();
    if (input_pending_.empty()) input_.reset();
    return;
  }
  if (target < 0) return;
  ssize_t written = write(target, buffer, static_cast<size_t>(size));
  if (written < 0 && errno != EAGAIN) return;
  size_t done = written < 0 ? 0 : static_cast<size_t>(written);
  if (done == static_cast<size_t>(size)) return;
  input_pending_.assign(buffer + done, buffer + size);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, input_source_.get(), nullptr);
  if (settings_.has_terminal) {
    watch(target, Source::kOutput, 1, EPOLLIN | EPOLLOUT, true);
  } else {
    watch(target, Source::kInputSink, 0, EPOLLOUT);
  }
}

void Monitor::on_input_sink() {
  int target = settings_.has_terminal ? output_[0].get() : input_.get();
  ssize_t written = target < 0 ? -1 : write(target, input_pending_.data(), input_pending_.size());
  if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (written < 0) {
    input_pending_.clear();
  } else {
    input_pending_.erase(input_pending_.begin(), input_pending_.begin() + written);
  }
  if (!input_pending_.empty()) return;
  if (settings_.has_terminal) {
    if (target >= 0) watch(target, Source::kOutput, 0, EPOLLIN, true);
  } else if (target >= 0) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, target, nullptr);
  }
  if (input_source_) {
    watch(input_source_.get(), Source::kInput, 0, EPOLLIN);
  } else if (!settings_.has_terminal) {
    input_.reset();
  }
}

// What the container had written before it ended, to the last byte: into the log, and to sinks as far as they take it.
// The write end may live on elsewhere, handed over a socket: what is written from then on is nobody's.
void Monitor::drain_streams() {
  for (Stream stream : {Stream::out, Stream::err}) {
    Fd& source = output_[static_cast<int>(stream)];
    if (!source) continue;
    int capacity = fcntl(source.get(), F_GETPIPE_SZ);
    ssize_t left = capacity > 0 ? capacity : kTerminalCapacity;
    char buffer[65536];
    for (ssize_t size; left > 0 && (size = read(source.get(), buffer, sizeof buffer)) > 0; left -= size) {
      feed(stream, buffer, static_cast<size_t>(size));
    }
    log_.end(stream);
    forward_.end(stream);
  }
}

// The rest of the output goes to slow readers when nobody waits for this process any more: until they have it, or are gone.
void Monitor::flush_sinks() {
  for (;;) {
    std::erase_if(sinks_, [](auto& sink) { return sink->pending.empty(); });
    if (sinks_.empty()) return;
    std::vector<pollfd> waits;
    for (auto& sink : sinks_) waits.push_back({.fd = sink->fd.get(), .events = POLLOUT});
    if (poll(waits.data(), waits.size(), -1) < 0) return;
    for (size_t i = 0; i < waits.size(); i++) {
      if (!waits[i].revents) continue;
      auto& pending = sinks_[i]->pending;
      ssize_t written = write(sinks_[i]->fd.get(), pending.data(), pending.size());
      if (written >= 0) pending.erase(pending.begin(), pending.begin() + written);
      else if (errno != EAGAIN) pending.clear();
    }
  }
}

void Monitor::close_streams() {
  drain_streams();
  output_[0].reset();
  output_[1].reset();
  input_.reset();
  input_pending_.clear();
}

}  // namespace stack::shim
