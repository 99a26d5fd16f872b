// SPDX-License-Identifier: MIT
//
// The table pages of one bind: filled by prepare, used up by run, and the only PageTableAllocator
// that run ever sees. alloc takes from the reserve; free puts the table on the retired list, where
// it keeps its content and its owner until release_after_flush(). So a bind can neither run dry nor
// hand a table on that the device may still walk.
//
// Pages may move between reserves (move_spares): what a bind lays in is not always what it uses
// itself. But for that, reserved = used + available + returned. alloc and free allocate nothing,
// take no lock and are allowed inside a SignallingSection. A reserve belongs to one bind: its calls
// are serialised by whoever runs the bind.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "driver/iopgtable/page_table_allocator.h"
#include "driver/kernel/signalling.h"
#include "driver/provision/page_borrower.h"
#include "driver/provision/page_list.h"

namespace pantry::driver {

class PagePool;
class PageMagazine;
class PageQuota;

struct ReserveStatistics {
  std::uint32_t reserved = 0;  // pages laid in: grow, suffices, reuse_retired
  std::uint32_t used = 0;      // pages that a table took
  std::uint32_t returned = 0;  // pages laid in and given back unused
  std::uint32_t retired = 0;   // pages of tables that the bind emptied
};

class TableReserve final : public PageTableAllocator {
 public:
  // Without a pool: alloc fails, free is a bug.
  TableReserve() = default;
  // Of a VM whose pages come from `borrower`, which outlives it, and go there.
  explicit TableReserve(PageBorrower& borrower);
  // Of a bind that will be pending: what it lays in is charged to `quota`, which outlives it.
  TableReserve(PageBorrower& borrower, PageQuota& quota);
  // The same where nobody pays.
  explicit TableReserve(PagePool& pool);
  TableReserve(PagePool& pool, PageQuota& quota);
  TableReserve(TableReserve&& other) noexcept;
  TableReserve& operator=(TableReserve&& other) noexcept;
  // Gives back what was not used. Nothing is retired and unreleased (CHECK): that would be a table
  // given up without a flush.
  ~TableReserve() {
    return_spares();
    uncharge();
  }

  // Lays in `pages` more, and charges them as far as charge() has not. ENOMEM: none; the pool has
  // not as many, or the quota or the payer's is used up.
  Result<> grow(std::uint32_t pages) PANTRY_MAY_ALLOCATE;
  std::uint32_t available() const { return spare_.count(); }
  // From now on what suffices() asks for comes from `magazine`, if it is there. For a bind that is
  // accepted, run and done under one hold of the operation lock, by which the magazine is guarded.
  void draw_on(PageMagazine& magazine) noexcept { magazine_ = &magazine; }
  bool runs_at_once() const { return magazine_ != nullptr; }
  // Whether `pages` are available, with what the magazine has. Allocates nothing.
  bool suffices(std::uint32_t pages) noexcept {
    return pages <= spare_.count() || (magazine_ && draw(pages - spare_.count()));
  }
  // Spare pages go to the magazine, as far as there is room. Before the operation lock is let go.
  void fill_magazine() noexcept;
  // `pages` unused pages go to `list`. Pre: as many are available.
  void move_spares(std::uint32_t pages, PageList& list) noexcept;
  // All pages of `list`, which are zero, are available here.
  void take_spares(PageList& list) noexcept { spare_.splice(list); }

  // Pre: there is one.
  PagePool& pool() const { return borrower_->pool(); }
  // Null: the bind will not be pending.
  PageQuota* quota() const { return quota_; }
  // What is charged to the quota for this bind, until it is released.
  std::uint32_t charged() const { return charged_; }
  // Charges the quota with `pages` in all, or more if it is. ENOMEM: the quota is used up.
  Result<> charge(std::uint32_t pages) PANTRY_MAY_ALLOCATE;
  // `pages` of what is charged are for the caller to uncharge, `kept` go with this reserve, as all
  // would otherwise. The rest is uncharged. Pre: as much is charged.
  void hand_over_charge(std::uint32_t pages, std::uint32_t kept) noexcept;

  // ENOMEM when the reserve is empty, which a provisioner makes impossible. EINVAL for anything but
  // 4 KiB.
  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override;
  void free(PhysAddr page, std::uint64_t bytes) noexcept override;
  void free_tables(std::span<const PhysAddr> pages) noexcept override;

  // The flush that covers everything freed so far is done (or no address space ever used it):
  // retired pages and spares go back to the pool, and the bind is pending no longer. Allocates
  // nothing; zeroes each retired page.
  void release_after_flush() noexcept {
    if (!retired_.empty()) return_retired();
    return_spares();
    uncharge();
  }
  // After that flush: `pages` of the retired are zeroed and laid in again, so that they are
  // available. Pre: as many are retired.
  void reuse_retired(std::uint32_t pages) noexcept;
  // visit(PhysAddr) for each retired page.
  template <class Visit>
  void for_each_retired(Visit visit) const {
    retired_.for_each(visit);
  }

  const ReserveStatistics& statistics() const { return statistics_; }

 private:
  bool draw(std::uint32_t pages) noexcept;
  void return_spares() noexcept {
    if (!spare_.empty()) return_all_spares();
  }
  void uncharge() noexcept {
    if (charged_ != 0) uncharge_all();
  }
  void return_retired() noexcept;
  void return_all_spares() noexcept;
  void uncharge_all() noexcept;

  PageBorrower* borrower_ = nullptr;
  PageQuota* quota_ = nullptr;
  PageMagazine* magazine_ = nullptr;
  std::uint32_t charged_ = 0;
  PageList spare_;
  PageList retired_;
  ReserveStatistics statistics_;
};

}  // namespace pantry::driver
