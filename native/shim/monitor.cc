#include "shim/monitor.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace stack::shim {

namespace {

constexpr int64_t kResolverPauseMs = 500;
constexpr int64_t kLongRunMs = 10'000;  // a run of this length resets the back-off, as docker's does

int64_t now_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

}  // namespace

int64_t monotonic_ms() { return now_ns(CLOCK_MONOTONIC) / 1'000'000; }
int64_t realtime_ns() { return now_ns(CLOCK_REALTIME); }

Monitor::Monitor(Settings settings, std::vector<int> fds) : settings_(std::move(settings)), fds_(std::move(fds)) {}

bool Monitor::watch(int fd, Source source, uint32_t index, uint32_t events, bool is_known) {
  epoll_event event{.events = events, .data = {.u64 = (static_cast<uint64_t>(source) << 32) | index}};
  if (epoll_ctl(epoll_.get(), is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0) return true;
  return !is_known && errno == EEXIST && epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0;
}

// Held for as long as this process lives: how everybody else knows that it does. Whoever asks holds a shared lock for
// that moment, which is waited out; another monitor's lock stays.
bool Monitor::lock_run_directory() {
  for (int tries = 0; flock(run_dir_.get(), LOCK_EX | LOCK_NB) != 0; tries++) {
    if (errno != EWOULDBLOCK || tries == 500) return false;
    timespec pause{.tv_nsec = 2'000'000};
    nanosleep(&pause, nullptr);
  }
  return true;
}

bool Monitor::prepare() {
  run_dir_ = Fd(open(settings_.run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  log_dir_ = Fd(open(settings_.log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!run_dir_ || !log_dir_ || !lock_run_directory()) return false;
  if (settings_.log_files > 0 && !log_.open(log_dir_.get(), "log", settings_.log_size, settings_.log_files)) return false;
  forward_.open(settings_.forward);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  signals_ = Fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_ || !watch(signals_.get(), Source::kSignal, 0, EPOLLIN) || !listen()) return false;
  for (auto& endpoint : settings_.endpoints) {
    live_tables_.emplace_back(open(endpoint.table, O_RDWR | O_CLOEXEC));
    if (!live_tables_.back()) return false;
  }
  if (!settings_.has_dns || settings_.network < 0 || settings_.network >= static_cast<int>(fds_.size())) return true;
  for (size_t i = 0; i < live_tables_.size() && i < max_name_tables; i++) {
    if (!name_table_map(live_tables_[i].get(), resolver_.tables[resolver_.table_count++])) return false;
  }
  for (const char* text : settings_.upstreams) {
    if (!text || resolver_.upstream_count >= max_upstreams) break;
    if (upstream_parse(text, 53, resolver_.upstreams[resolver_.upstream_count])) resolver_.upstream_count++;
  }
  for (const NameLink& link : settings_.links) {
    if (!link.alias || !link.target || resolver_.link_count >= max_name_links) break;
    resolver_.links[resolver_.link_count++] = link;
  }
  resolver_.forward = settings_.forwards_dns;
  if (!resolver_listen(fds_[settings_.network], resolver_.udp_fd, resolver_.tcp_fd)) return false;
  return start_resolver();
}

// All endpoints the container has from now on: (string table, u32 slot)*. The resolver starts anew with their tables; those
// that it has left are no longer live. 0, or an errno with nothing changed.
int Monitor::change_networks(Reader body) {
  if (!settings_.has_dns) return ENOTSUP;
  std::vector<Settings::Endpoint> endpoints;
  std::vector<std::unique_ptr<char[]>> names;
  std::vector<Fd> live;
  NameTable tables[max_name_tables];
  auto give_up = [&](int number) {
    for (NameTable& table : tables) name_table_unmap(table);
    return number;
  };
  while (body.size() > 0) {
    const char* text = body.string();
    uint32_t slot = body.u32();
    if (body.bad() || slot > 0xffff || live.size() >= max_name_tables) return give_up(EPROTO);
    size_t size = strlen(text) + 1;
    names.emplace_back(new char[size]);
    memcpy(names.back().get(), text, size);
    endpoints.push_back({names.back().get(), static_cast<uint16_t>(slot)});
    live.emplace_back(open(text, O_RDWR | O_CLOEXEC));
    if (!live.back() || !name_table_map(live.back().get(), tables[live.size() - 1])) return give_up(errno);
  }
  set_live(false);
  for (size_t i = 0; i < resolver_.table_count; i++) name_table_unmap(resolver_.tables[i]);
  resolver_.table_count = live.size();
  std::copy(tables, tables + live.size(), resolver_.tables);
  live_tables_ = std::move(live);
  settings_.endpoints = std::move(endpoints);
  table_names_ = std::move(names);
  if (state_ == State::kRunning) set_live(true);
  // The child sees the end of its broker, and goes.
  broker_.reset();
  if (!start_resolver()) resolver_at_ = monotonic_ms() + kResolverPauseMs;
  return 0;
}

bool Monitor::start_resolver() {
  int broker = -1;
  if (resolver_spawn(resolver_, broker) < 0) return false;
  broker_ = Fd(broker);
  return watch(broker, Source::kBroker, 0, EPOLLIN);
}

int Monitor::run(int first_client) {
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  clients_.reserve(8);
  int client = add_client(first_client);
  clients_[client]->waits = Client::kCreated;
  if (!prepare() || !start_container()) {
    failure_ = Report{.kind = Report::kFailed, .number = errno, .step = "monitor"};
    reply_all(Client::kCreated, frame::kError, nullptr, 0);
    return 1;
  }
  while (!is_over_) {
    int64_t deadline = next_deadline();
    int64_t wait = deadline == kNever ? -1 : std::max<int64_t>(0, deadline - monotonic_ms());
    epoll_event events[16];
    int count = epoll_wait(epoll_.get(), events, 16, static_cast<int>(std::min<int64_t>(wait, 1'000'000'000)));
    for (int i = 0; i < count && !is_over_; i++) {
      dispatch(static_cast<Source>(events[i].data.u64 >> 32), static_cast<uint32_t>(events[i].data.u64), events[i].events);
    }
    on_deadlines();
  }
  unlinkat(run_dir_.get(), "control", 0);
  // Before the lock on the run directory goes: whoever waits for that binds the same ports next.
  for (int fd : fds_) close(fd);
  listener_.reset();
  clients_.clear();
  broker_.reset();
  run_dir_.reset();
  flush_sinks();
  return 0;
}

// An event may be stale: something handled before it in the same batch could have closed what it is about.
void Monitor::dispatch(Source source, uint32_t index, uint32_t events) {
  switch (source) {
    case Source::kSignal: return on_child_signal();
    case Source::kListener: return accept_client();
    case Source::kClient:
      if (index < clients_.size() && clients_[index]) on_client(index, events);
      return;
    case Source::kReport: return on_report(index);
    case Source::kOutput:
      if ((events & EPOLLOUT) && !input_pending_.empty()) on_input_sink();
      if (events & ~static_cast<uint32_t>(EPOLLOUT)) on_output(Stream::out);
      return;
    case Source::kError: return on_output(Stream::err);
    case Source::kSink: return on_sink(index);
    case Source::kInput:
      if (input_source_) on_input();
      return;
    case Source::kInputSink: return on_input_sink();
    case Source::kBroker:
      if (!broker_ || resolver_broker(broker_.get(), resolver_)) return;
      // Killed, or taken down by what it was sent: not again and again at once.
      broker_.reset();
      resolver_at_ = monotonic_ms() + kResolverPauseMs;
      return;
    case Source::kProbe:
      if (probe_fd_) on_probe_output();
  }
}

int64_t Monitor::next_deadline() const { return std::min({restart_at_, kill_at_, probe_at_, probe_kill_at_, resolver_at_}); }

void Monitor::on_deadlines() {
  int64_t now = monotonic_ms();
  if (now >= restart_at_) {
    restart_at_ = kNever;
    if (!start_container()) {
      exit_code_ = 125;
      finish();
    }
  }
  if (now >= kill_at_) {
    kill_at_ = kNever;
    signal_container(SIGKILL);
  }
  if (now >= resolver_at_) resolver_at_ = start_resolver() ? kNever : now + kResolverPauseMs;
  if (now >= probe_at_) start_probe();
  if (now >= probe_kill_at_) {
    probe_kill_at_ = kNever;
    if (probe_ >= 0) {
      probe_timed_out_ = true;
      kill(-children_[probe_]->pid, SIGKILL);
      syscall(SYS_pidfd_send_signal, children_[probe_]->pidfd.get(), SIGKILL, nullptr, 0);
    }
  }
}

bool Monitor::start_container() {
  int stdio[3] = {-1, -1, -1};
  failure_ = {};
  bool is_open = open_streams(stdio);
  oom_before_ = oom_kills();
  container_ = -1;
  container_ = is_open ? spawn(Child::kContainer, settings_.process, stdio, -1) : -1;
  for (int fd : stdio) {
    if (fd >= 0) close(fd);
  }
  return container_ >= 0;
}

void Monitor::on_created() {
  if (state_ == State::kRestarting) {
    send(children_[container_]->report.get(), "", 1, MSG_NOSIGNAL);
    return;
  }
  changed();
  reply_all(Client::kCreated, frame::kOk, nullptr, 0);
}

void Monitor::on_executed(Child& child) {
  if (child.kind == Child::kExec) {
    reply(child.client, frame::kStarted, nullptr, 0, child.terminal ? child.terminal.get() : -1);
    return;
  }
  if (child.kind != Child::kContainer) return;
  // A process killed before its exec looks the same; its exit follows at once and says so.
  if (child.terminal) {
    output_[0] = std::move(child.terminal);
    fcntl(output_[0].get(), F_SETFL, O_NONBLOCK);
    watch(output_[0].get(), Source::kOutput, 0, EPOLLIN);
  }
  state_ = State::kRunning;
  started_ns_ = realtime_ns();
  started_ms_ = monotonic_ms();
  finished_ns_ = 0;
  exit_code_ = 0;
  is_oom_killed_ = false;
  set_live(true);
  start_health();
  changed();
  reply_all(Client::kStarted, frame::kOk, nullptr, 0);
}

void Monitor::on_exit(int code) {
  Child& child = *children_[container_];
  bool has_failed = child.has_failed;
  failure_ = child.failure;
  close_streams();
  release(static_cast<uint32_t>(container_));
  container_ = -1;
  kill_at_ = kNever;
  set_live(false);
  is_oom_killed_ = oom_kills() > oom_before_;
  exit_code_ = has_failed ? (failure_.number == ENOENT ? 127 : 126) : code;
  if (finished_ns_ == 0 || state_ == State::kRunning) finished_ns_ = realtime_ns();
  stop_health();
  if (has_failed && state_ == State::kCreated) {
    // Never ran: whoever made or started it hears why. The container stays `created`.
    changed();
    reply_all(Client::kCreated, frame::kError, nullptr, 0);
    reply_all(Client::kStarted, frame::kError, nullptr, 0);
    reply_all(Client::kStopped, frame::kOk, nullptr, 0);
    is_over_ = true;
    return;
  }
  int64_t ran_ms = monotonic_ms() - started_ms_;
  if (settings_.restart_window_ms > 0 && ran_ms >= settings_.restart_window_ms) attempts_ = 0;
  bool again = !is_stop_requested_ && !(has_failed && state_ == State::kRestarting) &&
               (settings_.restart == Restart::kAlways || (settings_.restart == Restart::kOnFailure && exit_code_ != 0)) &&
               (settings_.restart_limit == 0 || attempts_ < settings_.restart_limit);
  if (!again) return finish();
  if (ran_ms >= kLongRunMs) backoff_ = 0;
  int64_t delay = std::min(settings_.restart_delay_ms << std::min(backoff_, 20U), settings_.restart_longest_ms);
  backoff_++;
  attempts_++;
  restarts_++;
  restart_at_ = monotonic_ms() + delay;
  state_ = State::kRestarting;
  changed();
}

void Monitor::finish() {
  state_ = State::kExited;
  restart_at_ = kNever;
  changed();
  uint32_t answer[2] = {static_cast<uint32_t>(exit_code_), is_oom_killed_};
  reply_all(Client::kStarted, frame::kError, nullptr, 0);
  reply_all(Client::kStopped, frame::kExit, answer, sizeof answer);
  is_over_ = true;
}

void Monitor::request_stop(uint32_t signal, int64_t grace_ms) {
  is_stop_requested_ = true;
  if (state_ == State::kRestarting && container_ < 0) return finish();
  if (container_ < 0) return;
  if (state_ != State::kRunning) {
    signal_container(SIGKILL);
    return;
  }
  signal_container(static_cast<int>(signal));
  if (signal == SIGKILL) return;
  int64_t now = monotonic_ms();
  // A grace beyond all time must not wrap around to none at all.
  if (grace_ms < kNever - now) kill_at_ = std::min(kill_at_, now + grace_ms);
}

void Monitor::signal_container(int signal) {
  if (container_ >= 0) syscall(SYS_pidfd_send_signal, children_[container_]->pidfd.get(), signal, nullptr, 0);
}

void Monitor::set_live(bool is_live) {
  for (size_t i = 0; i < live_tables_.size(); i++) {
    name_table_set_live(live_tables_[i].get(), settings_.endpoints[i].slot, is_live);
  }
}

// `oom_kill N` of memory.oom_control (v1) or memory.events (v2).
uint64_t Monitor::oom_kills() const {
  if (!*settings_.oom_file) return 0;
  Fd file(open(settings_.oom_file, O_RDONLY | O_CLOEXEC));
  char text[512];
  ssize_t size = file ? read(file.get(), text, sizeof text - 1) : -1;
  if (size <= 0) return 0;
  text[size] = '\0';
  const char* found = strstr(text, "oom_kill ");
  return found ? strtoull(found + 9, nullptr, 10) : 0;
}

}  // namespace stack::shim
