// SPDX-License-Identifier: MIT
//
// For tests: a piece of DRAM of its own and the simplest allocator over it that keeps the contract
// of PageTableAllocator. Freed pages wait until after_flush(), which zeroes them. Allocates as it
// likes; one thread at a time but for the locked calls of the contract.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "base/check.h"
#include "driver/iopgtable/page_table_allocator.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

// Zeroed memory that plays DRAM. The base is not 0, so that a physical address is never mistaken
// for an offset.
class TestDram {
 public:
  static constexpr PhysAddr kBase{0x8000'0000};

  explicit TestDram(std::uint64_t bytes)
      : memory_(
            static_cast<std::uint8_t*>(std::aligned_alloc(2 * kMiB, align_up(bytes, 2 * kMiB)))),
        dram_{kBase, bytes, memory_.get()} {
    if (!memory_) throw std::bad_alloc();
    std::memset(memory_.get(), 0, bytes);
  }
  const emu::Dram& dram() const { return dram_; }

 private:
  struct Release {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::uint8_t[], Release> memory_;
  emu::Dram dram_;
};

class ArenaTableAllocator final : public PageTableAllocator {
 public:
  explicit ArenaTableAllocator(const emu::Dram& dram) : dram_(dram) {
    for (std::uint64_t at = dram.size; at != 0; at -= kPageSize)
      free_.push_back(dram.base + (at - kPageSize));
    retired_.reserve(free_.size());
  }

  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override {
    if (bytes != kPageSize) return Error(Errno::kInval);
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return Error(Errno::kNoMem);
    const PhysAddr page = free_.back();
    free_.pop_back();
    return page;
  }
  void free(PhysAddr page, std::uint64_t bytes) noexcept override {
    PANTRY_CHECK(bytes == kPageSize);
    const std::lock_guard lock(mutex_);
    retired_.push_back(page);
  }
  void after_flush() {
    const std::lock_guard lock(mutex_);
    for (const PhysAddr page : retired_) {
      std::memset(dram_.at(page, kPageSize), 0, kPageSize);
      free_.push_back(page);
    }
    retired_.clear();
  }
  // Pages that alloc could give now.
  std::size_t available() const {
    const std::lock_guard lock(mutex_);
    return free_.size();
  }

 private:
  emu::Dram dram_;
  mutable std::mutex mutex_;
  std::vector<PhysAddr> free_;
  std::vector<PhysAddr> retired_;
};

}  // namespace pantry::driver
