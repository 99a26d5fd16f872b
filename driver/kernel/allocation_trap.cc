// SPDX-License-Identifier: MIT
#include "driver/kernel/allocation_trap.h"

#include <execinfo.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "base/sanitizer.h"
#include "driver/kernel/lock_order.h"
#include "driver/kernel/signalling.h"

namespace pantry::driver {
namespace {

thread_local constinit unsigned paused = 0;

}  // namespace

AllocationTrapPause::AllocationTrapPause() noexcept { ++paused; }
AllocationTrapPause::~AllocationTrapPause() { --paused; }

}  // namespace pantry::driver

#if defined(PANTRY_TRAPS)

namespace pantry::driver {
namespace {

[[noreturn]] void trap(const char* what) noexcept {
  ++paused;  // the report itself may allocate
  std::fprintf(stderr, "pantry: bug: %s inside a SignallingSection\n", what);
  void* frames[48];
  backtrace_symbols_fd(frames, backtrace(frames, 48), STDERR_FILENO);
  std::abort();
}

inline void check(const char* what) noexcept {
  if (SignallingSection::active() && paused == 0) [[unlikely]]
    trap(what);
}

}  // namespace

bool allocation_trap_armed() noexcept { return true; }

}  // namespace pantry::driver

#if PANTRY_THREAD_SANITIZER || PANTRY_ADDRESS_SANITIZER

// GCC 12 does not ship sanitizer/allocator_interface.h.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             std::size_t),
                                                         void (*free_hook)(const volatile void*));

namespace pantry::driver {
namespace {

thread_local constinit bool in_hook = false;

void on_malloc(const volatile void*, std::size_t) {
  if (in_hook || paused != 0) return;
  in_hook = true;
  check("allocation");
  lock_order::may_wait();
  in_hook = false;
}

void on_free(const volatile void* pointer) {
  if (pointer && !in_hook) check("free");
}

[[maybe_unused]] const int installed =
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);

}  // namespace
}  // namespace pantry::driver

#else

// The C library keeps its own allocator reachable under these names, for exactly this use.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t bytes) {
  pantry::driver::check("malloc");
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) {
  pantry::driver::check("calloc");
  return __libc_calloc(count, bytes);
}

void* realloc(void* pointer, std::size_t bytes) {
  pantry::driver::check("realloc");
  return __libc_realloc(pointer, bytes);
}

void* memalign(std::size_t alignment, std::size_t bytes) {
  pantry::driver::check("memalign");
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  pantry::driver::check("aligned_alloc");
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t bytes) {
  pantry::driver::check("posix_memalign");
  // A power of two and a multiple of the size of a pointer.
  if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0) return EINVAL;
  void* const pointer = __libc_memalign(alignment, bytes);
  if (!pointer) return ENOMEM;
  *result = pointer;
  return 0;
}

void free(void* pointer) {
  if (!pointer) return;
  pantry::driver::check("free");
  __libc_free(pointer);
}
}

#endif

#else

bool pantry::driver::allocation_trap_armed() noexcept { return false; }

#endif
