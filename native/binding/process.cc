#include "binding/binding.h"

namespace stack::binding {

void add_process(Napi::Env, Napi::Object) {}

}  // namespace stack::binding
