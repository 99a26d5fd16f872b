// SPDX-License-Identifier: MIT
#include "driver/gem/mapping_reserve.h"

#include <sys/mman.h>

#include "base/check.h"
#include "base/types.h"

namespace pantry::driver {

MappingReserve::MappingReserve() {
  {
    MutexLock lock(mutex_);
    void* const pages = mmap(nullptr, kPages * kPageSize, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages != MAP_FAILED) pages_ = static_cast<std::uint8_t*>(pages);
  }
  take_back();
}

MappingReserve::~MappingReserve() {
  MutexLock lock(mutex_);
  if (pages_) munmap(pages_, kPages * kPageSize);
}

void MappingReserve::give_up() noexcept {
  MutexLock lock(mutex_);
  if (held_ == 0) return;
  // Joins mappings and splits none, which is always allowed.
  PANTRY_CHECK(mprotect(pages_, kPages * kPageSize, PROT_NONE) == 0);
  held_ = 0;
}

void MappingReserve::take_back() noexcept {
  MutexLock lock(mutex_);
  if (!pages_) return;
  while (held_ < kMappings &&
         mprotect(pages_ + (2 * held_ + 1) * kPageSize, kPageSize, PROT_READ) == 0)
    ++held_;
}

}  // namespace pantry::driver
