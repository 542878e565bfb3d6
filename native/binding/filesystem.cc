#include "binding/binding.h"
#include "core/filesystem.h"

namespace stack::binding {

void add_filesystem(Napi::Env env, Napi::Object group) {
  group.Set("openat2", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
              auto how = info[2].As<Napi::Object>();
              auto number = [&](const char* key) -> uint64_t {
                auto value = how.Get(key);
                return value.IsNumber() ? static_cast<uint64_t>(value.ToNumber().Int64Value()) : 0;
              };
              return answer(info.Env(), fs::openat2(as_int(info, 0), as_string(info, 1), number("flags"), number("mode"),
                                                    number("resolve")));
            }));
}

}  // namespace stack::binding
