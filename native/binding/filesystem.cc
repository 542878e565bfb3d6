#include <sys/file.h>

#include <thread>

#include "binding/binding.h"
#include "core/filesystem.h"

namespace stack::binding {

using Info = Napi::CallbackInfo;

static uint32_t as_unsigned(const Info& info, size_t at) { return info[at].ToNumber().Uint32Value(); }

static int64_t as_nanoseconds(const Info& info, size_t at) {
  bool is_lossless;
  return info[at].IsBigInt() ? info[at].As<Napi::BigInt>().Int64Value(&is_lossless) : 0;
}

static Napi::Value openat2(const Info& info) {
  auto how = info[2].As<Napi::Object>();
  auto number = [&](const char* key) -> uint64_t {
    auto value = how.Get(key);
    return value.IsNumber() ? static_cast<uint64_t>(value.ToNumber().Int64Value()) : 0;
  };
  return answer(info.Env(), fs::openat2(as_int(info, 0), as_string(info, 1), number("flags"), number("mode"),
                                        number("resolve")));
}

static int lock_operation(const std::string& kind) {
  return kind == "shared" ? LOCK_SH : kind == "exclusive" ? LOCK_EX : LOCK_UN;
}

// Waits on a thread of its own: a lock may be held for minutes, and the workers of the pool are few and shared.
class LockWait {
 public:
  static Napi::Value run(Napi::Env env, Fd fd, int operation) {
    auto* wait = new LockWait(env, std::move(fd), operation);
    auto promise = wait->deferred_.Promise();
    std::thread([wait] { wait->block(); }).detach();
    return promise;
  }

 private:
  LockWait(Napi::Env env, Fd fd, int operation)
      : fd_(std::move(fd)),
        operation_(operation),
        deferred_(env),
        done_(Napi::ThreadSafeFunction::New(env, Napi::Function(), "flock", 0, 1)) {}

  void block() {
    result_ = fs::flock(fd_.get(), operation_);
    auto done = done_;
    done.BlockingCall([this](Napi::Env env, Napi::Function) {
      if (result_.ok()) {
        deferred_.Resolve(Napi::Boolean::New(env, true));
      } else {
        deferred_.Reject(to_error(env, result_.error()).Value());
      }
      delete this;
    });
    done.Release();
  }

  Fd fd_;
  int operation_;
  Napi::Promise::Deferred deferred_;
  Napi::ThreadSafeFunction done_;
  Result<bool> result_ = false;
};

static Napi::Value flock(const Info& info) {
  Napi::Env env = info.Env();
  auto deferred = Napi::Promise::Deferred::New(env);
  int operation = lock_operation(as_string(info, 1));
  auto now = fs::flock(as_int(info, 0), operation | LOCK_NB);
  if (now.ok() && (now.value() || !info[2].ToBoolean().Value())) {
    deferred.Resolve(give(env, now.value()));
    return deferred.Promise();
  }
  // The waiting thread holds a number of its own, so that the caller may close his at any time.
  auto copy = now.ok() ? fs::duplicate(as_int(info, 0)) : Result<Fd>(now.error());
  if (!copy.ok()) {
    deferred.Reject(to_error(env, copy.error()).Value());
    return deferred.Promise();
  }
  return LockWait::run(env, std::move(copy.value()), operation);
}

void add_filesystem(Napi::Env env, Napi::Object group) {
  auto set = [&](const char* name, Napi::Value (*verb)(const Info&)) { group.Set(name, Napi::Function::New(env, verb)); };
  set("openat2", openat2);
  set("mkdirat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::mkdirat(as_int(info, 0), as_string(info, 1), as_unsigned(info, 2)));
  });
  set("mknodat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::mknodat(as_int(info, 0), as_string(info, 1), as_unsigned(info, 2),
                                          as_unsigned(info, 3), as_unsigned(info, 4)));
  });
  set("symlinkat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::symlinkat(as_string(info, 0), as_int(info, 1), as_string(info, 2)));
  });
  set("linkat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::linkat(as_int(info, 0), as_string(info, 1), as_int(info, 2), as_string(info, 3)));
  });
  set("unlinkat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::unlinkat(as_int(info, 0), as_string(info, 1), info[2].ToBoolean().Value()));
  });
  set("renameat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::renameat(as_int(info, 0), as_string(info, 1), as_int(info, 2), as_string(info, 3)));
  });
  set("fchownat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::fchownat(as_int(info, 0), as_string(info, 1), as_unsigned(info, 2),
                                           as_unsigned(info, 3)));
  });
  set("fchmod", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::fchmod(as_int(info, 0), as_unsigned(info, 1)));
  });
  set("utimensat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::utimensat(as_int(info, 0), as_string(info, 1), as_nanoseconds(info, 2),
                                            as_nanoseconds(info, 3)));
  });
  set("lsetxattr", [](const Info& info) -> Napi::Value {
    return answer(info.Env(),
                  fs::lsetxattr(as_int(info, 0), as_string(info, 1), as_string(info, 2), as_bytes(info[3])));
  });
  set("llistxattr", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::llistxattr(as_int(info, 0), as_string(info, 1)));
  });
  set("lgetxattr", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::lgetxattr(as_int(info, 0), as_string(info, 1), as_string(info, 2)));
  });
  set("readdir", [](const Info& info) -> Napi::Value { return answer(info.Env(), fs::readdir(as_int(info, 0))); });
  set("readlinkat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::readlinkat(as_int(info, 0), as_string(info, 1)));
  });
  set("flock", flock);
  set("tryFlock", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::flock(as_int(info, 0), lock_operation(as_string(info, 1)) | LOCK_NB));
  });
  set("overlayView", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::overlay_view(as_fds(info[0])));
  });
  set("syncfs", [](const Info& info) -> Napi::Value { return answer(info.Env(), fs::syncfs(as_int(info, 0))); });
}

}  // namespace stack::binding
