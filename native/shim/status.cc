#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "shim/monitor.h"

namespace stack::shim {

namespace {

void line(std::vector<char>& text, const char* format, ...) __attribute__((format(printf, 2, 3)));
void line(std::vector<char>& text, const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(buffer, sizeof buffer - 1, format, arguments);
  va_end(arguments);
  if (size < 0) return;
  if (size > static_cast<int>(sizeof buffer) - 2) size = sizeof buffer - 2;
  for (int i = 0; i < size; i++) {
    if (buffer[i] == '\n') buffer[i] = ' ';
  }
  buffer[size++] = '\n';
  text.insert(text.end(), buffer, buffer + size);
}

const char* name(State state) {
  switch (state) {
    case State::kCreated: return "created";
    case State::kRunning: return "running";
    case State::kRestarting: return "restarting";
    default: return "exited";
  }
}

const char* name(Health health) {
  switch (health) {
    case Health::kStarting: return "starting";
    case Health::kHealthy: return "healthy";
    case Health::kUnhealthy: return "unhealthy";
    default: return "none";
  }
}

}  // namespace

// `key value` lines; what follows `probe_output` up to the end is the probe's output as it came (engine/runtime/status.ts).
std::vector<char> Monitor::status_text() const {
  std::vector<char> text;
  bool runs = container_ >= 0 && state_ != State::kExited;
  line(text, "state %s", is_paused_ && state_ == State::kRunning ? "paused" : name(state_));
  line(text, "pid %d", runs ? children_[container_]->pid : 0);
  line(text, "shim %d", getpid());
  line(text, "exit_code %d", exit_code_);
  line(text, "oom_killed %d", is_oom_killed_);
  line(text, "health %s", name(health_));
  line(text, "failing_streak %u", failing_streak_);
  line(text, "restarts %u", restarts_);
  line(text, "started %lld", static_cast<long long>(started_ns_));
  line(text, "finished %lld", static_cast<long long>(finished_ns_));
  line(text, "stop_requested %d", is_stop_requested_);
  if (failure_.kind) {
    line(text, "failure_step %s", failure_.step);
    line(text, "failure_errno %d", failure_.number);
    line(text, "failure_subject %s", failure_.subject);
  }
  for (const Report& warning : warnings_) line(text, "warning %s\t%d\t%s", warning.step, warning.number, warning.subject);
  line(text, "probe_exit %d", probe_exit_);
  line(text, "probe_output");
  text.insert(text.end(), probe_last_.begin(), probe_last_.end());
  return text;
}

// Written before anybody is told, so that a reader who was told finds it.
void Monitor::changed() {
  auto text = status_text();
  Fd file(openat(run_dir_.get(), "status.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
    renameat(run_dir_.get(), "status.new", run_dir_.get(), "status");
  }
  for (size_t i = 0; i < clients_.size(); i++) {
    if (clients_[i] && clients_[i]->is_subscribed) reply(static_cast<int>(i), frame::kStatus, text.data(), text.size());
  }
}

}  // namespace stack::shim
