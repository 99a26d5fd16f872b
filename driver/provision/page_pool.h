// SPDX-License-Identifier: MIT
//
// Zeroed table pages for all VMs of a device. Prepare takes pages (from what came back, else fresh
// frames); they come back after the flush that covers them and are zeroed then. Beyond kMaxCached,
// spare pages return to the frame allocator, on the clean-up lane and a few at a time: no bind pays
// for the pages of another.
//
// Invariant: every page in the pool is zero and owned by nobody. Leaf lock, never held across an
// allocation, so giving back is allowed anywhere. Only take(), trim() and the clean-up lane reach
// the frame allocator.
#pragma once

#include <cstdint>

#include "base/mutex.h"
#include "base/result.h"
#include "driver/iopgtable/table_metadata.h"
#include "driver/kernel/work.h"
#include "driver/memory/frame_allocator.h"
#include "driver/provision/page_borrower.h"
#include "driver/provision/page_list.h"
#include "driver/provision/page_magazine.h"

namespace pantry::driver {

struct PoolStatistics {
  std::uint64_t cached = 0;     // pages in the pool now, and in magazines
  std::uint64_t lent = 0;       // pages out now: in reserves and in tables
  std::uint64_t peak_lent = 0;  // with those in magazines
  std::uint64_t taken = 0;      // pages ever taken
  std::uint64_t returned = 0;   // pages ever given back
  std::uint64_t fresh = 0;      // of those taken, how many came from the frame allocator
};

class PagePool {
 public:
  static constexpr std::uint64_t kMaxCached = 4096;  // 16 MiB: a few aligned 1 GiB binds in flight

  // `dram` holds the frames of `frames`. Allocates one link and one TableInfo per frame of it.
  PagePool(FrameAllocator& frames, emu::Dram dram);
  // Every page has come back (CHECK).
  ~PagePool() PANTRY_MAY_WAIT;
  // From now on what is spare beyond kMaxCached goes back to the frame allocator on `lane`, whose
  // items may free; until then nothing does but by trim(). Once, before the first bind. The lane
  // outlives the pool.
  void trim_on(WorkLane& lane);
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  // What the page tables made of these pages need (RadixTable::create).
  TableMetadata& metadata() { return metadata_; }
  PageLinks& links() { return links_; }
  // For pages that nobody pays for.
  PageBorrower& unpaid() { return unpaid_; }

  // `pages` zeroed pages; or ENOMEM, and the pool is as it was.
  Result<PageList> take(std::uint32_t pages) PANTRY_MAY_ALLOCATE;
  // kUsed: zeroed here. A page that was in a table: after the flush that covers it.
  using Content = PageContent;
  void give_back(PageList pages, Content content) noexcept;
  // Pages that were in a table, after the flush that covers it: zeroed, and with a new owner, so
  // that they can go into another one without having been in the pool.
  void renew(const PageList& pages) noexcept;
  // Returns all but `keep` spare pages to the frame allocator; those in magazines stay there. How
  // many went.
  std::uint64_t trim(std::uint64_t keep) noexcept PANTRY_MAY_ALLOCATE;

  AllocationFaults& faults() noexcept { return frames_.faults(); }
  PoolStatistics statistics() const;

 private:
  friend class PageMagazine;
  void add(PageMagazine& magazine) noexcept;
  void remove(PageMagazine& magazine) noexcept;
  // So many pages go back before other items of the lane have their turn.
  static constexpr std::uint32_t kTrimmedAtOnce = 32;
  void trim_some() PANTRY_MAY_ALLOCATE;
  Result<> refill(PageList& list, std::uint32_t pages) PANTRY_MAY_ALLOCATE;
  Result<> complete(PageList& list, std::uint32_t pages) PANTRY_MAY_ALLOCATE;
  void lend(std::uint32_t pages) noexcept PANTRY_REQUIRES(mutex_);
  void free(PageList pages) noexcept PANTRY_MAY_ALLOCATE;
  void zero(PhysAddr page) noexcept;

  FrameAllocator& frames_;
  PageLinks links_;
  TableMetadata metadata_;
  mutable Mutex mutex_;
  PageList cached_ PANTRY_GUARDED_BY(mutex_);
  boost::intrusive::list<PageMagazine> magazines_ PANTRY_GUARDED_BY(mutex_);
  PoolStatistics statistics_ PANTRY_GUARDED_BY(mutex_);
  PageBorrower unpaid_{*this};
  WorkLane* trim_lane_ = nullptr;
  MemberWork<PagePool, &PagePool::trim_some> trim_work_{*this};
};

}  // namespace pantry::driver
