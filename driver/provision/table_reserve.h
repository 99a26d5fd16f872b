// SPDX-License-Identifier: MIT
//
// The table pages of one bind: filled by prepare, used up by run, and the only PageTableAllocator
// that run ever sees. alloc takes from the reserve; free puts the table on the retired list, where
// it keeps its content and its owner until release_after_flush(). So a bind can neither run dry nor
// hand a table on that the device may still walk.
//
// Invariant: reserved = used + available + returned. alloc and free allocate nothing, take no lock
// and are allowed inside a SignallingSection. A reserve belongs to one bind: its calls are
// serialised by whoever runs the bind.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "driver/iopgtable/page_table_allocator.h"
#include "driver/kernel/signalling.h"
#include "driver/provision/page_list.h"

namespace pantry::driver {

class PagePool;
class PageQuota;

struct ReserveStatistics {
  std::uint32_t reserved = 0;  // pages laid in
  std::uint32_t used = 0;      // pages that a table took
  std::uint32_t returned = 0;  // pages laid in and given back unused
  std::uint32_t retired = 0;   // pages of tables that the bind emptied
};

class TableReserve final : public PageTableAllocator {
 public:
  // Without a pool: alloc fails, free is a bug.
  TableReserve() = default;
  explicit TableReserve(PagePool& pool);
  // Of a bind that will be pending: its pages are charged to `quota`, which outlives it.
  TableReserve(PagePool& pool, PageQuota& quota);
  TableReserve(TableReserve&& other) noexcept;
  TableReserve& operator=(TableReserve&& other) noexcept;
  // Gives back what was not used. Nothing is retired and unreleased (CHECK): that would be a table
  // given up without a flush.
  ~TableReserve();

  // Lays in `pages` more. ENOMEM: none; the pool has not as many, or the quota is used up.
  Result<> grow(std::uint32_t pages) PANTRY_MAY_ALLOCATE;
  std::uint32_t available() const { return spare_.count(); }

  // ENOMEM when the reserve is empty, which a provisioner makes impossible. EINVAL for anything but
  // 4 KiB.
  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override;
  void free(PhysAddr page, std::uint64_t bytes) noexcept override;

  // The flush that covers everything freed so far is done (or no address space ever used it):
  // retired pages and spares go back to the pool, and the bind is pending no longer. Allocates
  // nothing; zeroes each retired page.
  void release_after_flush() noexcept;

  const ReserveStatistics& statistics() const { return statistics_; }

 private:
  void return_spares() noexcept;
  void uncharge() noexcept;

  PagePool* pool_ = nullptr;
  PageQuota* quota_ = nullptr;
  std::uint32_t charged_ = 0;
  PageList spare_;
  PageList retired_;
  ReserveStatistics statistics_;
};

}  // namespace pantry::driver
