// File system verbs by descriptor. Names are resolved by the kernel alone: openat2(2) or single components.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"

namespace stack::fs {

Result<int> openat2(int dirfd, const std::string& path, uint64_t flags, uint64_t mode, uint64_t resolve);

}  // namespace stack::fs
