#include <cstring>

#include "binding/binding.h"

namespace stack::binding {

Napi::Error to_error(Napi::Env env, const Error& error) {
  const char* name = strerrorname_np(error.number);
  std::string message = error.step;
  if (!error.subject.empty()) message += " " + error.subject;
  message += std::string(": ") + strerror(error.number);
  Napi::Error out = Napi::Error::New(env, message);
  out.Set("code", Napi::String::New(env, name ? name : "EUNKNOWN"));
  out.Set("errno", Napi::Number::New(env, error.number));
  out.Set("step", Napi::String::New(env, error.step));
  out.Set("subject", Napi::String::New(env, error.subject));
  return out;
}

void throw_error(Napi::Env env, const Error& error) { to_error(env, error).ThrowAsJavaScriptException(); }

std::vector<int> as_fds(const Napi::Value& value) {
  Napi::Array array = value.As<Napi::Array>();
  std::vector<int> fds(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) fds[i] = array.Get(i).ToNumber().Int32Value();
  return fds;
}

std::vector<std::string> as_strings(const Napi::Value& value) {
  Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> strings(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) strings[i] = array.Get(i).ToString().Utf8Value();
  return strings;
}

std::vector<uint8_t> as_bytes(const Napi::Value& value) {
  auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ByteLength()};
}

Napi::Value give(Napi::Env env, const std::string& value) { return Napi::String::New(env, value); }

Napi::Value give(Napi::Env env, const std::vector<uint8_t>& bytes) {
  return Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size());
}

Napi::Value give(Napi::Env env, const std::vector<std::string>& strings) {
  auto array = Napi::Array::New(env, strings.size());
  for (uint32_t i = 0; i < strings.size(); i++) array.Set(i, Napi::String::New(env, strings[i]));
  return array;
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto group = [&](const char* name, void (*add)(Napi::Env, Napi::Object)) {
    auto object = Napi::Object::New(env);
    add(env, object);
    exports.Set(name, object);
  };
  group("filesystem", add_filesystem);
  group("network", add_network);
  group("process", add_process);
  return exports;
}

}  // namespace stack::binding

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return stack::binding::init(env, exports); }

NODE_API_MODULE(stack_native, Init)
