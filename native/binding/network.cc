#include "binding/binding.h"

namespace stack::binding {

void add_network(Napi::Env, Napi::Object) {}

}  // namespace stack::binding
