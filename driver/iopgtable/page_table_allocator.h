// SPDX-License-Identifier: MIT
//
// The hook through which a page table gets its pages: the custom allocator that io-pgtable takes,
// with the part of the contract written down that Linux leaves open. Any allocator must pass
// page_table_allocator_conformance.h.
//
//   - a page is zeroed, aligned to its size and made of whole frames of DRAM; nothing but the table
//     writes to it;
//   - alloc may fail with ENOMEM. Inside a SignallingSection only an allocator that was filled
//     beforehand may be used, and it then neither allocates, blocks nor takes a lock that is held
//     across an allocation;
//   - free never blocks and never fails, takes the size that alloc was given, and may be called for
//     a page that was never installed in a table. It may be called before the flush of the range:
//     the allocator keeps the page from being used again, or written to, until it is told that the
//     flush is done;
//   - both may be called from any thread; the page table serialises its own calls.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/types.h"

namespace pantry::driver {

class PageTableAllocator {
 public:
  // `bytes` is a power of two, 4 KiB for every table of a 4 KiB granule.
  virtual Result<PhysAddr> alloc(std::uint64_t bytes) noexcept = 0;
  virtual void free(PhysAddr page, std::uint64_t bytes) noexcept = 0;
  // free() of each, of 4 KiB: what an edit that removes many tables calls, so that an allocator can
  // do what they have in common once.
  virtual void free_tables(std::span<const PhysAddr> pages) noexcept {
    for (const PhysAddr page : pages) free(page, kPageSize);
  }

 protected:
  ~PageTableAllocator() = default;
};

}  // namespace pantry::driver
