#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "shim/monitor.h"

namespace stack::shim {

namespace {
constexpr size_t kMaxOutput = 4096;
constexpr int64_t kFirstDelay = 50;
}  // namespace

// While starting, probes come at once and then ever slower up to the regular pace, so that a container is known to be
// healthy soon after it is. Failures of these early probes do not count: a failure counts once the start period is over
// and a regular interval after the start or the last counted one, which is never sooner than docker's schedule.
void Monitor::start_health() {
  if (!settings_.has_probe) return;
  health_ = Health::kStarting;
  failing_streak_ = 0;
  probe_delay_ = kFirstDelay;
  probe_at_ = monotonic_ms();
  probe_counted_at_ = monotonic_ms();
}

void Monitor::stop_health() {
  probe_at_ = probe_kill_at_ = kNever;
  if (settings_.has_probe && health_ != Health::kNone) health_ = Health::kUnhealthy;
  if (!settings_.has_probe) health_ = Health::kNone;
}

void Monitor::start_probe() {
  probe_at_ = kNever;
  if (state_ != State::kRunning || probe_ >= 0 || is_paused_) return;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    probe_at_ = monotonic_ms() + settings_.probe_interval_ms;
    return;
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  probe_fd_ = Fd(ends[0]);
  Fd theirs(ends[1]);
  probe_output_.clear();
  probe_timed_out_ = false;
  watch(probe_fd_.get(), Source::kProbe, 0, EPOLLIN);
  int stdio[3] = {-1, theirs.get(), theirs.get()};
  probe_ = spawn(Child::kProbe, settings_.probe, stdio, -1);
  if (probe_ < 0) return on_probe_exit(125);
  probe_kill_at_ = settings_.probe_timeout_ms > 0 ? monotonic_ms() + settings_.probe_timeout_ms : kNever;
}

// Whoever freezes the container says so first, and again once it is thawed: what stands still is not asked how it is.
void Monitor::set_paused(bool paused) {
  if (is_paused_ == paused) return;
  is_paused_ = paused;
  if (paused) {
    probe_at_ = probe_kill_at_ = kNever;
  } else if (probe_ < 0) {
    if (settings_.has_probe) probe_at_ = monotonic_ms();
  } else if (settings_.probe_timeout_ms > 0) {
    probe_kill_at_ = monotonic_ms() + settings_.probe_timeout_ms;
  }
  changed();
}

void Monitor::on_probe_output() {
  char buffer[4096];
  ssize_t size = read(probe_fd_.get(), buffer, sizeof buffer);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return probe_fd_.reset();
  size_t room = kMaxOutput - std::min(kMaxOutput, probe_output_.size());
  probe_output_.insert(probe_output_.end(), buffer, buffer + std::min(room, static_cast<size_t>(size)));
}

void Monitor::on_probe_exit(int exit_code) {
  probe_ = -1;
  probe_kill_at_ = kNever;
  while (probe_fd_) {
    size_t before = probe_output_.size();
    on_probe_output();
    if (!probe_fd_ || probe_output_.size() == before) break;
  }
  probe_fd_.reset();
  if (state_ != State::kRunning) return;
  if (probe_timed_out_) {
    static const char note[] = "probe timed out";
    probe_output_.insert(probe_output_.end(), note, note + sizeof note - 1);
    exit_code = -1;
  }
  probe_exit_ = exit_code;
  probe_last_ = probe_output_;
  int64_t now = monotonic_ms();
  bool is_starting = health_ == Health::kStarting;
  if (exit_code == 0) {
    health_ = Health::kHealthy;
    failing_streak_ = 0;
    probe_at_ = now + settings_.probe_interval_ms;
    return changed();
  }
  bool is_in_start_period = is_starting && now - started_ms_ < settings_.probe_start_period_ms;
  bool counts = !is_starting || (!is_in_start_period && now - probe_counted_at_ >= settings_.probe_interval_ms);
  if (counts) {
    probe_counted_at_ = now;
    failing_streak_++;
    if (failing_streak_ >= settings_.probe_retries) health_ = Health::kUnhealthy;
  }
  if (health_ == Health::kStarting) {
    int64_t pace = is_in_start_period ? std::min(settings_.probe_start_interval_ms, settings_.probe_interval_ms)
                                      : settings_.probe_interval_ms;
    probe_at_ = now + std::min(probe_delay_, pace);
    probe_delay_ = std::min(probe_delay_ * 2, pace);
  } else {
    probe_at_ = now + settings_.probe_interval_ms;
  }
  changed();
}

}  // namespace stack::shim
