// Shared by the binding files: arguments in, results and errors out. Everything napi stays on this side.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace stack::binding {

// An Error with the fields of schemas/kernel.ts KernelError.
Napi::Error to_error(Napi::Env env, const Error& error);
void throw_error(Napi::Env env, const Error& error);

inline int as_int(const Napi::CallbackInfo& info, size_t at) { return info[at].ToNumber().Int32Value(); }
inline std::string as_string(const Napi::CallbackInfo& info, size_t at) { return info[at].ToString().Utf8Value(); }
// A descriptor, or -1 for null and undefined.
inline int as_fd(const Napi::CallbackInfo& info, size_t at) { return info[at].IsNumber() ? as_int(info, at) : -1; }
std::vector<int> as_fds(const Napi::Value& array);
std::vector<std::string> as_strings(const Napi::Value& array);
// A copy, so that a worker thread may read it.
std::vector<uint8_t> as_bytes(const Napi::Value& typed_array);

inline Napi::Value give(Napi::Env env, int value) { return Napi::Number::New(env, value); }
inline Napi::Value give(Napi::Env env, bool value) { return Napi::Boolean::New(env, value); }
inline Napi::Value give(Napi::Env env, Nothing) { return env.Undefined(); }
Napi::Value give(Napi::Env env, const std::string& value);
Napi::Value give(Napi::Env env, const std::vector<uint8_t>& bytes);
Napi::Value give(Napi::Env env, const std::vector<std::string>& strings);

// The answer of a synchronous verb.
template <typename T>
Napi::Value answer(Napi::Env env, Result<T> result) {
  if (!result.ok()) {
    throw_error(env, result.error());
    return env.Undefined();
  }
  return give(env, result.value());
}

// Runs `work` on a worker thread and answers a promise; `convert` turns its value into a JavaScript one.
template <typename T>
class Work : public Napi::AsyncWorker {
 public:
  using Convert = std::function<Napi::Value(Napi::Env, T&)>;
  static Napi::Value run(Napi::Env env, std::function<Result<T>()> work, Convert convert = nullptr) {
    auto* worker = new Work(env, std::move(work), std::move(convert));
    auto promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

 private:
  Work(Napi::Env env, std::function<Result<T>()> work, Convert convert)
      : Napi::AsyncWorker(env), deferred_(env), work_(std::move(work)), convert_(std::move(convert)) {}
  void Execute() override { result_ = std::make_unique<Result<T>>(work_()); }
  void OnOK() override {
    if (!result_->ok()) return deferred_.Reject(to_error(Env(), result_->error()).Value());
    if (convert_) return deferred_.Resolve(convert_(Env(), result_->value()));
    if constexpr (requires(Napi::Env env, T& value) { give(env, value); }) {
      deferred_.Resolve(give(Env(), result_->value()));
    }
  }

  Napi::Promise::Deferred deferred_;
  std::function<Result<T>()> work_;
  Convert convert_;
  std::unique_ptr<Result<T>> result_;
};

// Each adds the verbs of one group of schemas/kernel.ts to `group`.
void add_filesystem(Napi::Env env, Napi::Object group);
void add_network(Napi::Env env, Napi::Object group);
void add_process(Napi::Env env, Napi::Object group);

}  // namespace stack::binding
