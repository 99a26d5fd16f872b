// SPDX-License-Identifier: MIT
//
// A PageTableAllocator in front of another one that counts, and holds the page table to its half of
// the contract: what is freed was allocated here, once, with the same size (CHECK). Not for run: it
// keeps a set of what is out. One thread at a time.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/check.h"
#include "driver/iopgtable/page_table_allocator.h"

namespace pantry::driver {

class AccountingAllocator final : public PageTableAllocator {
 public:
  explicit AccountingAllocator(PageTableAllocator& below) : below_(below) {}

  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override {
    const Result<PhysAddr> page = below_.alloc(bytes);
    if (!page) {
      ++failures_;
      return page;
    }
    const bool is_new = out_.emplace(page->value, bytes).second;
    PANTRY_CHECK(is_new);
    ++allocations_;
    return page;
  }
  void free(PhysAddr page, std::uint64_t bytes) noexcept override {
    const auto found = out_.find(page.value);
    PANTRY_CHECK(found != out_.end() && found->second == bytes);
    out_.erase(found);
    ++frees_;
    below_.free(page, bytes);
  }

  std::uint64_t allocations() const { return allocations_; }
  std::uint64_t frees() const { return frees_; }
  std::uint64_t failures() const { return failures_; }
  std::uint64_t outstanding() const { return out_.size(); }

 private:
  PageTableAllocator& below_;
  std::unordered_map<std::uint64_t, std::uint64_t> out_;  // address -> size
  std::uint64_t allocations_ = 0;
  std::uint64_t frees_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace pantry::driver
