// SPDX-License-Identifier: MIT
#include "driver/iopgtable/core_page_cache.h"

#include <cstring>

#include "base/check.h"
#include "base/log.h"

namespace pantry::driver {

CorePageCache::~CorePageCache() {
  PageChain kept;
  {
    MutexLock lock(mutex_);
    PANTRY_CHECK(freed_.empty());
    kept = kept_.take();
  }
  while (!kept.empty()) source_.free(kept.pop(metadata_), kPageSize);
}

Result<PhysAddr> CorePageCache::alloc(std::uint64_t bytes) noexcept {
  if (bytes != kPageSize) return Error(Errno::kInval);
  {
    MutexLock lock(mutex_);
    if (!kept_.empty()) return kept_.pop(metadata_);
  }
  return source_.alloc(bytes);
}

void CorePageCache::free(PhysAddr page, std::uint64_t bytes) noexcept {
  PANTRY_CHECK(bytes == kPageSize);
  MutexLock lock(mutex_);
  freed_.push(metadata_, page);
}

void CorePageCache::after_flush() noexcept {
  PageChain freed;
  std::uint32_t room = 0;
  {
    MutexLock lock(mutex_);
    freed = freed_.take();
    room = most_ - kept_.size();
  }
  PageChain clean;
  while (!freed.empty() && clean.size() < room) {
    const PhysAddr page = freed.pop(metadata_);
    std::memset(metadata_.dram().at(page, kPageSize), 0, kPageSize);
    clean.push(metadata_, page);
  }
  {
    // Another flush may have filled the room meanwhile.
    MutexLock lock(mutex_);
    while (!clean.empty() && kept_.size() < most_) kept_.push(metadata_, clean.pop(metadata_));
  }
  for (PageChain* rest : {&clean, &freed})
    while (!rest->empty()) source_.free(rest->pop(metadata_), kPageSize);
}

std::uint32_t CorePageCache::kept() const {
  MutexLock lock(mutex_);
  return kept_.size();
}

TablePages::TablePages(PageTableAllocator& core, PageTableAllocator* custom,
                       TableMetadata& metadata, std::uint32_t cached)
    : core_(core), custom_(custom) {
  if (!custom && cached != 0) cache_.emplace(core, metadata, cached);
  if (custom && cached != 0)
    log_error("driver/iopgtable",
              "a page table with a custom allocator: its cache of {} pages is switched off",
              cached);
}

void TablePages::after_flush() noexcept {
  if (cache_) cache_->after_flush();
}

}  // namespace pantry::driver
