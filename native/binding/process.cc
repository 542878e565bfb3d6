#include <sys/ioctl.h>
#include <fcntl.h>
#include <unistd.h>

#include "binding/binding.h"
#include "core/bpf.h"
#include "core/spawn.h"

namespace stack::binding {

static Napi::Value spawn_shim(const Napi::CallbackInfo& info) {
  int executable = as_int(info, 0);
  auto program = as_bytes(info[1]);
  auto fds = as_fds(info[2]);
  return Work<int>::run(info.Env(), [=] { return stack::spawn_shim(executable, program, fds); });
}

static Napi::Value receive(const Napi::CallbackInfo& info) {
  int socket = as_int(info, 0);
  return Work<Received>::run(
      info.Env(), [=] { return receive_frame(socket); },
      [](Napi::Env env, Received& received) -> Napi::Value {
        if (received.is_end) return env.Null();
        auto fds = Napi::Array::New(env, received.fds.size());
        for (uint32_t i = 0; i < received.fds.size(); i++) fds.Set(i, Napi::Number::New(env, received.fds[i]));
        auto out = Napi::Object::New(env);
        out.Set("frame", give(env, received.frame));
        out.Set("fds", fds);
        return out;
      });
}

static Result<std::vector<int>> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail("pipe2");
  return std::vector<int>{ends[0], ends[1]};
}

void add_process(Napi::Env env, Napi::Object group) {
  auto add = [&](const char* name, Napi::Value (*verb)(const Napi::CallbackInfo&)) {
    group.Set(name, Napi::Function::New(env, verb, name));
  };
  add("spawnShim", spawn_shim);
  add("receive", receive);
  add("sealedCopy", [](const Napi::CallbackInfo& info) { return answer(info.Env(), sealed_copy(as_string(info, 0))); });
  add("connect", [](const Napi::CallbackInfo& info) {
    return answer(info.Env(), connect_in(as_int(info, 0), as_string(info, 1)));
  });
  add("send", [](const Napi::CallbackInfo& info) {
    return answer(info.Env(), send_frame(as_int(info, 0), as_bytes(info[1]), as_fds(info[2])));
  });
  add("closeOnExec", [](const Napi::CallbackInfo& info) { return answer(info.Env(), close_on_exec(as_int(info, 0))); });
  add("pidfdOpen", [](const Napi::CallbackInfo& info) { return answer(info.Env(), stack::pidfd_open(as_int(info, 0))); });
  add("pidfdSignal", [](const Napi::CallbackInfo& info) {
    return answer(info.Env(), pidfd_signal(as_int(info, 0), as_int(info, 1)));
  });
  add("pidfdWait", [](const Napi::CallbackInfo& info) {
    int fd = as_int(info, 0);
    int timeout_ms = info[1].IsNumber() ? as_int(info, 1) : -1;
    return Work<bool>::run(info.Env(), [=] { return pidfd_wait(fd, timeout_ms); });
  });
  add("loadDeviceFilter", [](const Napi::CallbackInfo& info) -> Napi::Value {
    auto loaded = load_device_filter(as_bytes(info[0]));
    if (!loaded.ok()) return throw_error(info.Env(), loaded.error()), info.Env().Undefined();
    return give(info.Env(), loaded.value().release());
  });
  add("attachDeviceFilter", [](const Napi::CallbackInfo& info) {
    return answer(info.Env(), attach_device_filter(as_int(info, 0), as_int(info, 1), info[2].ToBoolean()));
  });
  add("pipe", [](const Napi::CallbackInfo& info) -> Napi::Value {
    auto made = make_pipe();
    if (!made.ok()) return throw_error(info.Env(), made.error()), info.Env().Undefined();
    auto ends = Napi::Array::New(info.Env(), 2);
    for (uint32_t i = 0; i < 2; i++) ends.Set(i, Napi::Number::New(info.Env(), made.value()[i]));
    return ends;
  });
  add("setNonBlocking", [](const Napi::CallbackInfo& info) -> Napi::Value {
    int fd = as_int(info, 0);
    Result<Nothing> done = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 ? Result<Nothing>(Nothing{}) : fail("fcntl");
    return answer(info.Env(), std::move(done));
  });
  add("setWindowSize", [](const Napi::CallbackInfo& info) -> Napi::Value {
    winsize size{};
    size.ws_row = static_cast<unsigned short>(as_int(info, 1));
    size.ws_col = static_cast<unsigned short>(as_int(info, 2));
    Result<Nothing> done = ioctl(as_int(info, 0), TIOCSWINSZ, &size) == 0 ? Result<Nothing>(Nothing{}) : fail("TIOCSWINSZ");
    return answer(info.Env(), std::move(done));
  });
}

}  // namespace stack::binding
