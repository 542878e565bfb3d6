// What a process tells the shim of itself.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "shim/rights.h"
#include "shim/steps.h"

namespace stack::shim {

void send_report(Process& process, Report::Kind kind, int number, const char* step, const char* subject, int fd) {
  Report report{.kind = kind, .number = number};
  snprintf(report.step, sizeof report.step, "%s", step);
  snprintf(report.subject, sizeof report.subject, "%s", subject);
  iovec part{.iov_base = &report, .iov_len = sizeof report};
  if (send_with(process.report, &part, 1, fd) < 0) _exit(127);
}

bool failed(Process& process, const char* step, const char* subject) {
  process.failure = Report{.kind = Report::kFailed, .number = errno};
  snprintf(process.failure.step, sizeof process.failure.step, "%s", step);
  snprintf(process.failure.subject, sizeof process.failure.subject, "%s", subject);
  return false;
}

void warn(Process& process, const char* step, const char* subject) {
  send_report(process, Report::kWarning, errno, step, subject);
}

}  // namespace stack::shim
