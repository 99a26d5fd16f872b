// SPDX-License-Identifier: MIT
#include "uapi/shim/client_pointer.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pantry::shim {
namespace {

constexpr uintptr_t kPageBytes = 4096;

// The kernel reads a set of signals before it sees that it is told nothing that it could do with
// them. A set that is not there (null) it does not read.
bool is_word_readable(uintptr_t at) {
  if (at < kPageBytes) return false;
  const int saved = errno;
  const bool readable =
      syscall(SYS_rt_sigprocmask, ~0, at & ~uintptr_t{7}, nullptr, sizeof(uint64_t)) == 0 ||
      errno != EFAULT;
  errno = saved;
  return readable;
}

}  // namespace

bool can_read(const void* at, size_t bytes) {
  const auto first = reinterpret_cast<uintptr_t>(at);
  for (uintptr_t next = first; next < first + bytes; next = (next | (kPageBytes - 1)) + 1)
    if (!is_word_readable(next)) return false;
  return true;
}

bool is_readable(const char* path) {
  if (!can_read(path, 1)) return false;
  for (size_t i = 0; i < PATH_MAX; ++i) {
    if (reinterpret_cast<uintptr_t>(path + i) % kPageBytes == 0 && !can_read(path + i, 1))
      return false;
    if (path[i] == '\0') return true;
  }
  return true;
}

}  // namespace pantry::shim
