#include "shim/monitor.h"

namespace stack::shim {

bool read_settings(Reader steps, Settings& settings) {
  Step step;
  while (next(steps, step)) {
    Reader& body = step.body;
    switch (step.code) {
      case Code::kIdentity:
        settings.run_dir = body.string();
        settings.log_dir = body.string();
        break;
      case Code::kLog:
        settings.log_size = body.u64();
        settings.log_files = body.u32();
        break;
      case Code::kForward: {
        ForwardSettings& to = settings.forward;
        to.type = body.u32();
        to.address = body.bytes();
        to.time = body.u32();
        to.zone = body.i64();
        for (Reader& head : to.head) head = body.bytes();
        to.middle = body.bytes();
        to.tail = body.bytes();
        break;
      }
      case Code::kRestart:
        settings.restart = static_cast<Restart>(body.u32());
        settings.restart_limit = body.u32();
        settings.restart_delay_ms = body.i64();
        settings.restart_longest_ms = body.i64();
        settings.restart_window_ms = body.i64();
        settings.stop_signal = body.u32();
        settings.grace_ms = body.i64();
        break;
      case Code::kStdio:
        settings.has_stdin = body.u32() != 0;
        settings.has_terminal = body.u32() != 0;
        break;
      case Code::kHealth:
        settings.has_probe = true;
        settings.probe_interval_ms = body.i64();
        settings.probe_timeout_ms = body.i64();
        settings.probe_start_period_ms = body.i64();
        settings.probe_start_interval_ms = body.i64();
        settings.probe_retries = body.u32();
        settings.probe = body.bytes();
        break;
      case Code::kDns:
        settings.has_dns = true;
        settings.forwards_dns = body.u32() != 0;
        settings.upstreams = body.strings();
        break;
      case Code::kEndpoint: {
        const char* table = body.string();
        settings.endpoints.push_back({table, static_cast<uint16_t>(body.u32())});
        break;
      }
      case Code::kLink: {
        const char* alias = body.string();
        settings.links.push_back({alias, body.string()});
        break;
      }
      case Code::kNetwork: settings.network = static_cast<int>(body.u32()); break;
      case Code::kCgroup: settings.oom_file = body.string(); break;
      case Code::kMonitorCgroup:
        settings.monitor_tasks = body.strings();
        settings.monitor_cgroup = body.string();
        break;
      case Code::kLaunch:
        settings.is_launch = true;
        settings.waits = body.u32();
        settings.run_dir = body.string();
        settings.container = body.u32();
        for (uint32_t& index : settings.stdio) index = body.u32();
        break;
      case Code::kSettle:
        settings.settle_root = body.string();
        settings.settle_marks = body.strings();
        break;
      case Code::kHold: break;  // the descriptors are held by being open
      case Code::kProcess: settings.process = body.bytes(); break;
      default: return false;
    }
    if (body.bad()) return false;
  }
  if (steps.bad()) return false;
  if (*settings.settle_root) return true;
  return (settings.is_launch || *settings.run_dir) && settings.process.size() > 0;
}

}  // namespace stack::shim
