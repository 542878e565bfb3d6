// The monitor: what stays of the shim while its container exists. One epoll loop; every source of events is a handler
// named by its kind. Files: monitor.cc loop and lifecycle, settings.cc, children.cc, control.cc, streams.cc, health.cc,
// status.cc.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <memory>
#include <vector>

#include "core/fd.h"
#include "shim/forward.h"
#include "shim/log.h"
#include "shim/program.h"
#include "shim/resolver.h"
#include "shim/steps.h"

namespace stack::shim {

int64_t monotonic_ms();
int64_t realtime_ns();

enum class Restart : uint32_t { kNo = 0, kOnFailure = 1, kAlways = 2 };
enum class State { kCreated, kRunning, kRestarting, kExited };
enum class Health { kNone, kStarting, kHealthy, kUnhealthy };

constexpr int64_t kNever = INT64_MAX;

struct Settings {
  const char* run_dir = "";
  const char* log_dir = "";
  uint64_t log_size = 0;
  uint32_t log_files = 1;
  ForwardSettings forward;
  Restart restart = Restart::kNo;
  uint32_t restart_limit = 0;  // 0: no limit
  int64_t restart_delay_ms = 100;       // doubles with each restart
  int64_t restart_longest_ms = 60'000;  // up to this
  int64_t restart_window_ms = 0;        // a run of this length makes the count begin anew; 0: none does
  bool has_stdin = false;
  bool has_terminal = false;
  uint32_t stop_signal = 15;
  int64_t grace_ms = 10'000;
  int network = -1;  // index of the network namespace's descriptor
  std::vector<const char*> monitor_tasks;  // v1 files to write "0" into
  const char* monitor_cgroup = "";         // v2 directory to be born in
  const char* oom_file = "";
  struct Endpoint {
    const char* table;
    uint16_t slot;
  };
  std::vector<Endpoint> endpoints;
  std::vector<const char*> upstreams;
  std::vector<NameLink> links;
  bool has_dns = false;
  bool forwards_dns = true;
  // Of a launch: nothing stays but the container. Descriptors by index, ~0 for none.
  bool is_launch = false;
  uint32_t waits = 0;  // 2: and the process ends with the caller
  uint32_t container = ~0U;
  uint32_t stdio[3] = {~0U, ~0U, ~0U};
  // Of a settling: the file system, and for each mark its directory, its name and the one it gets once all is on disk.
  const char* settle_root = "";
  std::vector<const char*> settle_marks;
  Reader process;
  Reader probe;
  bool has_probe = false;
  int64_t probe_interval_ms = 30'000;
  int64_t probe_timeout_ms = 30'000;
  int64_t probe_start_period_ms = 0;
  int64_t probe_start_interval_ms = 5'000;
  uint32_t probe_retries = 3;
};

// False where the program is not well-formed.
bool read_settings(Reader steps, Settings& settings);

// launch.cc: one process without a monitor. Reports go to the caller as they come; ends when the process has executed or
// waits for its start, or, where it was asked to wait, with the process.
int launch(const Settings& settings, const std::vector<int>& fds, int caller);

// settle.cc: waits for the disk, then says what has reached it.
int settle(const Settings& settings);

struct Child {
  enum Kind { kContainer, kExec, kProbe } kind;
  pid_t pid = -1;
  Fd pidfd;
  Fd report;
  Fd terminal;
  int client = -1;          // who asked for it
  bool is_executed = false;  // the report socket ended without a failure
  bool has_failed = false;
  bool forks = false;  // its first process makes the real one (kJoinContainer)
  Report failure{};
};

struct Client {
  Fd socket;
  std::vector<uint8_t> input;
  std::vector<Fd> received;
  enum Waits { kNothing, kCreated, kStarted, kStopped } waits = kNothing;
  bool is_subscribed = false;
};

// One direction of copying. Reads stop while somebody has not taken what was read before.
struct Sink {
  Fd fd;
  Stream stream;
  int client;
  std::vector<char> pending;
};

class Monitor {
 public:
  Monitor(Settings settings, std::vector<int> fds);
  // Runs until the container is gone for good; answers the process's exit code.
  int run(int first_client);

 private:
  enum class Source : uint32_t { kSignal, kListener, kClient, kReport, kOutput, kError, kSink, kInput, kInputSink, kBroker, kProbe };
  bool watch(int fd, Source source, uint32_t index, uint32_t events, bool is_known = false);
  void dispatch(Source source, uint32_t index, uint32_t events);
  bool lock_run_directory();
  bool prepare();
  bool start_resolver();
  int change_networks(Reader endpoints);
  int64_t next_deadline() const;
  void on_deadlines();

  // Lifecycle of the container.
  bool start_container();
  void on_created();
  void on_executed(Child& child);
  void on_exit(int status);
  void finish();
  void request_stop(uint32_t signal, int64_t grace_ms);
  void signal_container(int signal);
  void set_live(bool is_live);
  uint64_t oom_kills() const;

  // children.cc
  int spawn(Child::Kind kind, Reader steps, const int (&stdio)[3], int client);
  void on_report(uint32_t index);
  void on_child_signal();
  void reaped(pid_t pid, int status);
  bool awaits_pid() const;
  void release(uint32_t index);

  // control.cc
  bool listen();
  void accept_client();
  int add_client(int fd);
  void on_client(uint32_t index, uint32_t events);
  void on_request(uint32_t index, uint16_t type, Reader body);
  void drop_client(uint32_t index);
  void reply(int client, uint16_t type, const void* data, size_t size, int fd = -1);
  void reply_error(int client, const Report& failure);
  void reply_all(Client::Waits waits, uint16_t type, const void* data, size_t size);
  void exec(uint32_t client, Reader program);
  void attach(uint32_t client, uint32_t wanted);

  // streams.cc
  bool open_streams(int (&stdio)[3]);
  void on_output(Stream stream);
  void on_sink(uint32_t index);
  void on_input();
  void on_input_sink();
  void drain_streams();
  void flush_sinks();
  void drop_sink(size_t index);
  void close_streams();
  bool is_blocked(Stream stream) const;
  void feed(Stream stream, const char* data, size_t size);

  // health.cc
  void start_health();
  void stop_health();
  void start_probe();
  void on_probe_output();
  void on_probe_exit(int exit_code);

  // status.cc
  void changed();
  std::vector<char> status_text() const;

  Settings settings_;
  std::vector<int> fds_;
  Fd epoll_, signals_, listener_, run_dir_, log_dir_;
  Log log_;
  Forward forward_;
  bool is_over_ = false;

  State state_ = State::kCreated;
  int container_ = -1;  // index of the container's child; -1 where none
  int exit_code_ = 0;
  bool is_oom_killed_ = false;
  bool is_stop_requested_ = false;
  uint32_t restarts_ = 0;
  uint32_t attempts_ = 0;  // of them, those that count against the limit
  uint32_t backoff_ = 0;
  int64_t started_ns_ = 0, finished_ns_ = 0, started_ms_ = 0;
  int64_t restart_at_ = kNever, kill_at_ = kNever;
  uint64_t oom_before_ = 0;
  Report failure_{};
  std::vector<Report> warnings_;

  std::vector<std::unique_ptr<Child>> children_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::pair<pid_t, int>> early_exits_;  // reaped before the report that names them was read

  Fd output_[2];  // stdout and stderr of the container; a terminal is output_[0]
  Fd input_;      // towards the container's stdin
  Fd input_source_;
  std::vector<char> input_pending_;
  std::vector<std::unique_ptr<Sink>> sinks_;

  Fd broker_;
  ResolverConfig resolver_;
  int64_t resolver_at_ = kNever;
  std::vector<Fd> live_tables_;
  std::vector<std::unique_ptr<char[]>> table_names_;  // of settings_.endpoints that came later

  Health health_ = Health::kNone;
  uint32_t failing_streak_ = 0;
  int probe_ = -1;
  int probe_exit_ = 0;
  bool probe_timed_out_ = false;
  Fd probe_fd_;
  std::vector<char> probe_output_, probe_last_;
  int64_t probe_at_ = kNever, probe_kill_at_ = kNever, probe_counted_at_ = 0, probe_delay_ = 0;
};

// control.cc: frames, u32 length of what follows, u16 type, payload (engine/runtime/control.ts).
namespace frame {
enum Type : uint16_t {
  kStart = 1,
  kKill = 2,
  kStop = 3,
  kExec = 4,
  kAttach = 5,
  kResize = 6,
  kSubscribe = 7,
  kSignal = 8,
  kNetworks = 9,
  kOk = 100,
  kError = 101,
  kStatus = 102,
  kExit = 103,
  kStarted = 104,
  kReport = 105,
};
}

}  // namespace stack::shim
