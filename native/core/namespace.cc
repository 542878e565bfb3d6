#include "core/namespace.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"

namespace stack::net {

namespace {

using Work = std::function<Result<>()>;

struct Errand {
  const Work& work;
  Result<> result = Nothing{};
};

// On a thread of its own: setns(2) and unshare(2) with CLONE_NEWNET change the calling thread alone.
Result<> on_new_thread(const Work& work) {
  Errand errand{work};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_t thread;
  int number = pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        auto* errand = static_cast<Errand*>(argument);
        errand->result = errand->work();
        return nullptr;
      },
      &errand);
  pthread_attr_destroy(&attributes);
  if (number != 0) return Error{"pthread_create", number, {}};
  pthread_join(thread, nullptr);
  return std::move(errand.result);
}

}  // namespace

Result<> in_namespace(int fd, const Work& work) {
  if (fd < 0) return work();
  return on_new_thread([&]() -> Result<> {
    if (setns(fd, CLONE_NEWNET) < 0) return fail("setns", "network namespace");
    return work();
  });
}

Result<int> create_namespace() {
  Fd made;
  auto result = on_new_thread([&]() -> Result<> {
    if (unshare(CLONE_NEWNET) < 0) return fail("unshare", "CLONE_NEWNET");
    // thread-self: the calling thread's own, proc_pid_ns(5); /proc/self would name the main thread's.
    made = Fd(retry([] { return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); }));
    if (!made) return fail("open", "/proc/thread-self/ns/net");
    return Nothing{};
  });
  if (!result.ok()) return result.error();
  return made.release();
}

Result<> write_sysctl(int fd, const std::string& path, const std::string& value) {
  return in_namespace(fd, [&]() -> Result<> {
    Fd top(retry([] { return open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC); }));
    if (!top) return fail("open", "/proc/sys");
    open_how how{.flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    Fd file(retry([&] { return static_cast<int>(syscall(SYS_openat2, top.get(), path.c_str(), &how, sizeof how)); }));
    if (!file) return fail("openat2", "/proc/sys/" + path);
    if (retry([&] { return write(file.get(), value.data(), value.size()); }) < 0) {
      return fail("write", "/proc/sys/" + path);
    }
    return Nothing{};
  });
}

}  // namespace stack::net
