// Outcomes of verbs: a value, or the step that failed with its errno and subject. No exceptions leave core.
#pragma once

#include <cerrno>
#include <string>
#include <utility>
#include <variant>

namespace stack {

struct Error {
  const char* step;
  int number;
  std::string subject;
};

struct Nothing {};

template <typename T = Nothing>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(std::move(error)) {}
  bool ok() const { return std::holds_alternative<T>(state_); }
  T& value() { return std::get<T>(state_); }
  const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

inline Error fail(const char* step, std::string subject = {}) { return Error{step, errno, std::move(subject)}; }

// The one place that knows about EINTR.
template <typename Call>
auto retry(Call call) -> decltype(call()) {
  decltype(call()) answer;
  do {
    answer = call();
  } while (answer == -1 && errno == EINTR);
  return answer;
}

}  // namespace stack
