// SPDX-License-Identifier: MIT
//
// The libc behind the shim, and how the shim defines libc's names.
//
// A function of the shim that stands in for open() is declared under a name of its own with the
// assembler name "open", so that libc's headers and their exception specifications stay out of the
// way. Inside the shim, plain calls of a name that it exports would come back to itself:
// `real(slot, "open")` is the next one in line, looked up once.
#pragma once

#include <dlfcn.h>

#define PANTRY_EXPORT(name) __asm__(#name) __attribute__((visibility("default")))

namespace pantry::shim {

// Lock-free: two threads may look the same function up, with the same result.
template <class Function>
Function* real(Function*& slot, const char* name) {
  Function* function = __atomic_load_n(&slot, __ATOMIC_ACQUIRE);
  if (!function) {
    function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    __atomic_store_n(&slot, function, __ATOMIC_RELEASE);
  }
  return function;
}

}  // namespace pantry::shim

// `PANTRY_REAL(int, close, int)` defines `int real_close(int)`, and `close_slot` for real(). One slot
// whatever the types of the arguments are, so that one look-up is enough for all.
#define PANTRY_REAL(result, name, ...)                             \
  static result (*name##_slot)(__VA_ARGS__);                       \
  template <class... Arguments>                                    \
  static result real_##name(Arguments... arguments) {              \
    return ::pantry::shim::real(name##_slot, #name)(arguments...); \
  }
