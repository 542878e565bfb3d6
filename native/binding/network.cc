#include "binding/binding.h"
#include "core/namespace.h"
#include "core/netlink.h"

namespace stack::binding {

void add_network(Napi::Env env, Napi::Object group) {
  auto verb = [&](const char* name, auto call) { group.Set(name, Napi::Function::New(env, call)); };
  verb("createNamespace",
       [](const Napi::CallbackInfo& info) { return Work<int>::run(info.Env(), net::create_namespace); });
  verb("netlink", [](const Napi::CallbackInfo& info) {
    int protocol = as_int(info, 0);
    int fd = as_fd(info, 1);
    return Work<std::vector<uint8_t>>::run(
        info.Env(), [=, batch = as_bytes(info[2])] { return net::netlink(protocol, fd, batch); });
  });
  verb("bind", [](const Napi::CallbackInfo& info) {
    bool is_tcp = as_string(info, 0) == "tcp";
    return answer(info.Env(), net::bind_port(is_tcp, as_string(info, 1), static_cast<uint16_t>(as_int(info, 2))));
  });
  verb("writeSysctl", [](const Napi::CallbackInfo& info) {
    int fd = as_fd(info, 0);
    return Work<Nothing>::run(info.Env(), [=, path = as_string(info, 1), value = as_string(info, 2)] {
      return net::write_sysctl(fd, path, value);
    });
  });
}

}  // namespace stack::binding
