#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/filesystem.h"

namespace stack::fs {

// fsopen(2): what the kernel has to say about a context is read from its descriptor, a message a read, each behind the
// letter of its kind (`e`, `w`, `i`) and a space. Errno is the caller's afterwards.
static std::string last_words(const Fd& context, std::string otherwise) {
  int number = errno;
  std::string words;
  char message[512];
  for (ssize_t size; (size = retry([&] { return read(context.get(), message, sizeof message); })) > 0;) {
    if (size > 2 && message[0] == 'e') words.assign(message + 2, static_cast<size_t>(size) - 2);
  }
  while (!words.empty() && words.back() == '\n') words.pop_back();
  errno = number;
  return words.empty() ? otherwise : words;
}

Result<Nothing> mount_filesystem(const std::string& type, const std::string& source,
                                 const std::vector<std::string>& options, unsigned attributes, int target) {
  Fd context(fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!context) return fail("fsopen", type);
  auto set = [&](const std::string& key, const char* value) {
    unsigned command = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
    return fsconfig(context.get(), command, key.c_str(), value, 0) == 0;
  };
  if (!source.empty() && !set("source", source.c_str())) return fail("fsconfig", last_words(context, source));
  for (const std::string& option : options) {
    size_t equals = option.find('=');
    bool is_flag = equals == std::string::npos;
    if (!set(option.substr(0, equals), is_flag ? nullptr : option.c_str() + equals + 1)) {
      return fail("fsconfig", last_words(context, option));
    }
  }
  if (retry([&] { return fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0); }) < 0) {
    return fail("mount", last_words(context, source));
  }
  Fd made(retry([&] { return fsmount(context.get(), FSMOUNT_CLOEXEC, attributes); }));
  if (!made) return fail("fsmount", last_words(context, source));
  unsigned by_descriptor = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (move_mount(made.get(), "", target, "", by_descriptor) != 0) return fail("move_mount", source);
  return Nothing{};
}

}  // namespace stack::fs
