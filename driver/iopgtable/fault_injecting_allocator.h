// SPDX-License-Identifier: MIT
//
// A PageTableAllocator in front of another one that lets a given number of allocations through and
// fails those after it with ENOMEM. Frees always go through. Allocates nothing; one thread at a
// time.
#pragma once

#include <cstdint>

#include "driver/iopgtable/page_table_allocator.h"

namespace pantry::driver {

class FaultInjectingAllocator final : public PageTableAllocator {
 public:
  FaultInjectingAllocator(PageTableAllocator& below, std::uint64_t allowed)
      : below_(below), allowed_(allowed) {}

  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override {
    if (allowed_ == 0) {
      ++refused_;
      return Error(Errno::kNoMem);
    }
    --allowed_;
    return below_.alloc(bytes);
  }
  void free(PhysAddr page, std::uint64_t bytes) noexcept override { below_.free(page, bytes); }

  void allow(std::uint64_t allocations) { allowed_ = allocations; }
  std::uint64_t refused() const { return refused_; }

 private:
  PageTableAllocator& below_;
  std::uint64_t allowed_;
  std::uint64_t refused_ = 0;
};

}  // namespace pantry::driver
