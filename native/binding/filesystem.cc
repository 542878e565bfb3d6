#include "core/filesystem.h"

#include <sys/file.h>

#include <thread>

#include "binding/binding.h"

namespace stack::binding {

using Info = Napi::CallbackInfo;

static uint32_t as_unsigned(const Info& info, size_t at) { return info[at].ToNumber().Uint32Value(); }

static int64_t as_nanoseconds(const Info& info, size_t at) {
  bool is_lossless;
  return info[at].IsBigInt() ? info[at].As<Napi::BigInt>().Int64Value(&is_lossless) : 0;
}

// File names are bytes, JavaScript strings are not: a byte that is no part of valid UTF-8 stands as the lone surrogate
// U+DC00 + byte (as in Python's PEP 383).
static void append_utf8(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 0x3f))};
  } else if (point < 0x10000) {
    out += {static_cast<char>(0xe0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 0x3f)),
            static_cast<char>(0x80 | (point & 0x3f))};
  } else {
    out += {static_cast<char>(0xf0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 0x3f)),
            static_cast<char>(0x80 | (point >> 6 & 0x3f)), static_cast<char>(0x80 | (point & 0x3f))};
  }
}

static std::string to_path(const Napi::String& value) {
  std::string simple = value.Utf8Value();
  // Node turns lone surrogates into U+FFFD: only a string that has one needs the long way.
  if (simple.find("\xef\xbf\xbd") == std::string::npos) return simple;
  std::u16string units = value.Utf16Value();
  std::string out;
  for (size_t i = 0; i < units.size(); i++) {
    uint32_t unit = units[i];
    bool is_high = unit >= 0xd800 && unit < 0xdc00 && i + 1 < units.size();
    if (is_high && units[i + 1] >= 0xdc00 && units[i + 1] < 0xe000) {
      append_utf8(out, 0x10000 + ((unit - 0xd800) << 10) + (units[++i] - 0xdc00));
    } else if (unit >= 0xdc80 && unit < 0xdd00) {
      out += static_cast<char>(unit - 0xdc00);
    } else {
      append_utf8(out, unit);
    }
  }
  return out;
}

static std::string as_path(const Info& info, size_t at) { return to_path(info[at].ToString()); }

static std::vector<std::string> as_paths(const Info& info, size_t at) {
  auto array = info[at].As<Napi::Array>();
  std::vector<std::string> paths(array.Length());
  for (uint32_t i = 0; i < paths.size(); i++) paths[i] = to_path(array.Get(i).ToString());
  return paths;
}

// Bytes of the UTF-8 sequence at `i`, 0 where it is not valid. Source: RFC 3629 section 4.
static size_t sequence_length(const std::string& bytes, size_t i) {
  auto at = [&](size_t k) { return k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0u; };
  unsigned lead = at(i), second = at(i + 1);
  auto tail = [&](size_t k) { return (at(k) & 0xc0) == 0x80; };
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(i + 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
    return tail(i + 1) && tail(i + 2) ? 3 : 0;
  }
  if (lead < 0xf0 || lead > 0xf4 || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
  return tail(i + 1) && tail(i + 2) && tail(i + 3) ? 4 : 0;
}

static Napi::Value give_path(Napi::Env env, const std::string& bytes) {
  std::u16string units;
  for (size_t i = 0; i < bytes.size();) {
    size_t length = sequence_length(bytes, i);
    auto at = [&](size_t k) { return static_cast<unsigned char>(bytes[i + k]); };
    if (length == 0) {
      units += static_cast<char16_t>(0xdc00 + at(0));
      length = 1;
    } else if (length == 1) {
      units += static_cast<char16_t>(at(0));
    } else {
      uint32_t point = at(0) & (0xff >> (length + 1));
      for (size_t k = 1; k < length; k++) point = point << 6 | (at(k) & 0x3f);
      if (point < 0x10000) {
        units += static_cast<char16_t>(point);
      } else {
        units += static_cast<char16_t>(0xd800 + ((point - 0x10000) >> 10));
        units += static_cast<char16_t>(0xdc00 + ((point - 0x10000) & 0x3ff));
      }
    }
    i += length;
  }
  return Napi::String::New(env, units);
}

static Napi::Value openat2(const Info& info) {
  auto how = info[2].As<Napi::Object>();
  auto number = [&](const char* key) -> uint64_t {
    auto value = how.Get(key);
    return value.IsNumber() ? static_cast<uint64_t>(value.ToNumber().Int64Value()) : 0;
  };
  return answer(info.Env(),
                fs::openat2(as_int(info, 0), as_path(info, 1), number("flags"), number("mode"), number("resolve")));
}

static Napi::Value lstats(const Info& info) {
  auto fields = fs::lstats(as_int(info, 0), as_paths(info, 1));
  if (!fields.ok()) return answer(info.Env(), Result<Nothing>(fields.error()));
  auto array = Napi::BigInt64Array::New(info.Env(), fields.value().size());
  std::copy(fields.value().begin(), fields.value().end(), array.Data());
  return array;
}

static Napi::Value positions(Napi::Env env, const std::vector<uint32_t>& found) {
  auto array = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < found.size(); i++) array.Set(i, found[i]);
  return array;
}

static Napi::Value read_files(const Info& info) {
  Napi::Env env = info.Env();
  auto sizes = info[2].As<Napi::Uint32Array>();
  auto names = as_paths(info, 1);
  if (sizes.ElementLength() != names.size()) return answer(env, Result<Nothing>(Error{"readFiles", EINVAL, ""}));
  auto found = fs::read_files(as_int(info, 0), names, {sizes.Data(), sizes.Data() + names.size()});
  if (!found.ok()) return answer(env, Result<Nothing>(found.error()));
  auto object = Napi::Object::New(env);
  object.Set("content", give(env, found.value().content));
  object.Set("attributed", positions(env, found.value().with_attributes));
  return object;
}

static Napi::Value copy_files(const Info& info) {
  auto names = as_paths(info, 2);
  auto metadata = info[3].As<Napi::BigInt64Array>();
  if (metadata.ElementLength() != names.size() * 4) {
    return answer(info.Env(), Result<Nothing>(Error{"copyFiles", EINVAL, ""}));
  }
  std::vector<fs::NewFile> files;
  for (size_t i = 0; i < names.size(); i++) {
    auto number = [&](size_t field) { return static_cast<uint32_t>(metadata[i * 4 + field]); };
    files.push_back({std::move(names[i]), number(0), number(1), number(2), metadata[i * 4 + 3]});
  }
  auto done = fs::copy_files(as_int(info, 0), as_int(info, 1), files);
  if (!done.ok()) return answer(info.Env(), Result<Nothing>(done.error()));
  return positions(info.Env(), done.value());
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
  auto set = [&](const char* name, Napi::Value (*verb)(const Info&)) {
    group.Set(name, Napi::Function::New(env, verb));
  };
  set("openat2", openat2);
  set("mkdirat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::mkdirat(as_int(info, 0), as_path(info, 1), as_unsigned(info, 2)));
  });
  set("mknodat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::mknodat(as_int(info, 0), as_path(info, 1), as_unsigned(info, 2), as_unsigned(info, 3),
                                          as_unsigned(info, 4)));
  });
  set("symlinkat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::symlinkat(as_path(info, 0), as_int(info, 1), as_path(info, 2)));
  });
  set("linkat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::linkat(as_int(info, 0), as_path(info, 1), as_int(info, 2), as_path(info, 3)));
  });
  set("unlinkat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::unlinkat(as_int(info, 0), as_path(info, 1), info[2].ToBoolean().Value()));
  });
  set("renameat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::renameat(as_int(info, 0), as_path(info, 1), as_int(info, 2), as_path(info, 3)));
  });
  set("fchownat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(),
                  fs::fchownat(as_int(info, 0), as_path(info, 1), as_unsigned(info, 2), as_unsigned(info, 3)));
  });
  set("fchmod", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::fchmod(as_int(info, 0), as_unsigned(info, 1)));
  });
  set("utimensat", [](const Info& info) -> Napi::Value {
    return answer(info.Env(),
                  fs::utimensat(as_int(info, 0), as_path(info, 1), as_nanoseconds(info, 2), as_nanoseconds(info, 3)));
  });
  set("lsetxattr", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::lsetxattr(as_int(info, 0), as_path(info, 1), as_string(info, 2), as_bytes(info[3])));
  });
  set("llistxattr", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::llistxattr(as_int(info, 0), as_path(info, 1)));
  });
  set("lgetxattr", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::lgetxattr(as_int(info, 0), as_path(info, 1), as_string(info, 2)));
  });
  set("readdir", [](const Info& info) -> Napi::Value {
    auto names = fs::readdir(as_int(info, 0));
    if (!names.ok()) return answer(info.Env(), std::move(names));
    auto array = Napi::Array::New(info.Env(), names.value().size());
    for (uint32_t i = 0; i < names.value().size(); i++) array.Set(i, give_path(info.Env(), names.value()[i]));
    return array;
  });
  set("lstats", lstats);
  set("readFiles", read_files);
  set("copyFiles", copy_files);
  set("readlinkat", [](const Info& info) -> Napi::Value {
    auto target = fs::readlinkat(as_int(info, 0), as_path(info, 1));
    return target.ok() ? give_path(info.Env(), target.value()) : answer(info.Env(), std::move(target));
  });
  set("flock", flock);
  set("tryFlock", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::flock(as_int(info, 0), lock_operation(as_string(info, 1)) | LOCK_NB));
  });
  set("overlayView",
      [](const Info& info) -> Napi::Value { return answer(info.Env(), fs::overlay_view(as_fds(info[0]))); });
  set("overlayMount", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::overlay_mount(as_fds(info[0]), as_int(info, 1), as_int(info, 2)));
  });
  set("mount", [](const Info& info) -> Napi::Value {
    auto options = as_strings(info[2]);
    return Work<Nothing>::run(info.Env(), [type = as_string(info, 0), source = as_string(info, 1), options,
                                           attributes = info[3].ToNumber().Uint32Value(), target = as_int(info, 4)] {
      return fs::mount_filesystem(type, source, options, attributes, target);
    });
  });
  set("unmount", [](const Info& info) -> Napi::Value { return answer(info.Env(), fs::unmount(as_string(info, 0))); });
  set("setProject", [](const Info& info) -> Napi::Value {
    return answer(info.Env(), fs::set_project(as_int(info, 0), info[1].ToNumber().Uint32Value()));
  });
  set("limitProject", [](const Info& info) -> Napi::Value {
    auto bytes = static_cast<uint64_t>(info[2].ToNumber().Int64Value());
    return answer(info.Env(), fs::limit_project(as_int(info, 0), info[1].ToNumber().Uint32Value(), bytes));
  });
  set("setTopDirectory",
      [](const Info& info) -> Napi::Value { return answer(info.Env(), fs::set_top_directory(as_int(info, 0))); });
}

}  // namespace stack::binding
