// SPDX-License-Identifier: MIT
//
// A PageTableAllocator in front of another one whose pages the device may see only while the
// hypervisor was told so: each page is shared before a table gets it, and unshared after the flush
// that follows its being freed, before the allocator below gets it back. Both are done for many
// pages in one call, since a call costs a world switch.
//
// A page whose unsharing was refused may still be read by the device whatever the driver thinks of
// it. It is quarantined: never handed out again, never given back, and counted.
//
// Any thread. The lock of what is ready and freed is a leaf, not held across calls of the
// hypervisor or of the allocator below. Another one is, by those who make pages ready, one at a
// time: who finds none meanwhile waits for these. Inside a SignallingSection, where that lock is
// never taken, only pages that fill() has made ready can be had. Allocates nothing.
#pragma once

#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "base/signalling.h"
#include "driver/iopgtable/hypervisor.h"
#include "driver/iopgtable/page_chain.h"
#include "driver/iopgtable/page_table_allocator.h"

namespace pantry::driver {

class HypervisorSharedAllocator final : public PageTableAllocator {
 public:
  // Pages per call of the hypervisor, at most, and those that a miss of alloc makes ready.
  static constexpr std::uint32_t kBatch = 16;

  HypervisorSharedAllocator(PageTableAllocator& below, Hypervisor& hypervisor,
                            TableMetadata& metadata)
      : below_(below), hypervisor_(hypervisor), metadata_(metadata) {}
  // Every page was freed, and flushed (CHECK). Unshares what is ready.
  ~HypervisorSharedAllocator() PANTRY_MAY_ALLOCATE;
  HypervisorSharedAllocator(const HypervisorSharedAllocator&) = delete;
  HypervisorSharedAllocator& operator=(const HypervisorSharedAllocator&) = delete;

  // ENOMEM also where the hypervisor shares no more, and where it may not be called: in a section,
  // or wherever else the thread has a DeadList. EINVAL: not 4 KiB.
  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override;
  void free(PhysAddr page, std::uint64_t bytes) noexcept override;

  // At least `pages` are ready for alloc, or ENOMEM: then some may be. Calls the hypervisor.
  Result<> fill(std::uint32_t pages) noexcept PANTRY_MAY_ALLOCATE;
  // The flush that covers everything freed so far is done: unshares it. Calls the hypervisor.
  // Returns how many pages went back to the allocator below, whose flush it was as well.
  std::uint32_t after_flush() noexcept PANTRY_MAY_ALLOCATE;

  struct Counts {
    std::uint32_t out = 0;          // in tables
    std::uint32_t ready = 0;        // shared, for alloc
    std::uint32_t freed = 0;        // shared, until after_flush
    std::uint32_t quarantined = 0;  // for good
    bool operator==(const Counts&) const = default;
  };
  Counts counts() const;

 private:
  std::optional<PhysAddr> take_ready() noexcept;
  std::uint32_t ready() const noexcept;
  // Shares up to `pages` more, at most a batch; returns how many are.
  std::uint32_t share_some(std::uint32_t pages) noexcept PANTRY_MAY_ALLOCATE
      PANTRY_REQUIRES(sharing_);
  std::uint32_t unshare(PageChain pages) noexcept PANTRY_MAY_ALLOCATE;

  PageTableAllocator& below_;
  Hypervisor& hypervisor_;
  TableMetadata& metadata_;
  Mutex sharing_;  // outside of mutex_
  mutable Mutex mutex_;
  PageChain ready_ PANTRY_GUARDED_BY(mutex_);
  PageChain freed_ PANTRY_GUARDED_BY(mutex_);
  std::uint32_t out_ PANTRY_GUARDED_BY(mutex_) = 0;
  std::uint32_t quarantined_ PANTRY_GUARDED_BY(mutex_) = 0;
};

}  // namespace pantry::driver
