// Network namespaces. Whoever enters one is a thread that ends: no pooled thread ever changes its namespace.
#pragma once

#include <functional>
#include <string>

#include "core/result.h"

namespace stack::net {

// Runs `work` inside the network namespace `fd`; -1 runs it here and now.
Result<> in_namespace(int fd, const std::function<Result<>()>& work);

// A descriptor of a new network namespace that nothing else holds.
Result<int> create_namespace();

// Writes the file `path` (`net/ipv4/ip_forward`) below /proc/sys as the namespace `fd` has it.
Result<> write_sysctl(int fd, const std::string& path, const std::string& value);

}  // namespace stack::net
