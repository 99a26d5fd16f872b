// SPDX-License-Identifier: MIT
//
// Provisioning by the state of the page table: a bind brings a page only for a window in which it
// needs a table and no table stands, and for which no pending bind has brought one.
//
// Which windows a bind needs is known from the bind alone (bind_shape.h). From its prepare until it
// has run or been given up, it pins them. The pages belong to the VM, not to the bind that brought
// them: they lie on one list, from which whichever bind comes first takes them.
//
// Invariant, whenever the operation lock is free: the list holds exactly one page for each pinned
// window in which no table stands.
//
// Why a bind cannot run dry, whatever runs before it and in whatever order: it takes at most one
// page per window that it needs, and only where no table stood when it began. All of those windows
// are pinned, by the bind itself at least; so at that moment the list holds a page for each of
// them. The invariant holds since
//   - prepare adds a page for each window that it pins first and in which no table stands, under
//     the same hold of the lock;
//   - a bind that makes a table in a window takes one page, and the window needs none any more;
//   - a table that a bind frees in a window that is still pinned, be it by emptying it or by
//     putting a block in its place, goes onto the list instead of back to the pool, once the flush
//     of that bind is done, before the next one begins and under the same hold of the lock
//     (must_flush: binds that share a flush are parted there). So no table needs to be kept empty,
//     and blocks are used wherever a block can be: the tables are those that WorstCase produces;
//   - with its last pin, a window in which no table stands gives its page back.
// It does not matter which bind brought a page, nor whether that bind ever runs.
//
// A bind that repeats (BindShape::Kind::kRepeat) takes pages besides for tables that stand in no
// window, one per height, in any case: those are its own, stay in its reserve, and go back to the
// pool from whichever bind removes the last of their range. Where such a table leads, no table
// stands: who cuts the window makes one there, as who cuts a block does, with the page that the pin
// has brought. So a hole costs one page per height that it cuts, and that is what was laid in.
//
// A bind that runs under the very hold of the lock under which it is accepted (TableReserve::
// draw_on) pins nothing as long as nobody else has a pin: it is given what it takes from the table
// as that is now, and nobody relies on what it leaves.
//
// The quota of the VM is charged, besides, with one page for each window that an asynchronous bind
// pins, whether a table stands in it now or not: it may be gone before that bind runs, and its page
// on the list. So what the list holds for such binds is at most what is charged, however tables
// come and go, and so is the record of windows. (What binds hold that run as soon as they are
// prepared is no more than a few, for a moment.)
//
// What this relies on:
//   - every bind that can take a page was accepted here; others only unmap without cutting a block;
//   - a map keeps the tables of its range from its clear() to its map(), so that it needs none
//     where one stands;
//   - the frames of a buffer do not change while a bind of it is pending: they decide where blocks
//     are used.
//
// Cost: per window one hash lookup and one walk in prepare and run, without pins one walk; an unmap
// prepared where no table stands holds up to two pages that it need not use, as a block may come
// there before it runs.
#pragma once

#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/provision/page_list.h"
#include "driver/provision/provisioner.h"
#include "driver/provision/window_pins.h"

namespace pantry::driver {

class PagePool;

class Exact final : public Provisioner {
 public:
  // `table` is made of pages of `pool`. Both outlive the provisioner.
  Exact(ArmLpaeS1Table& table, PagePool& pool);
  // No bind is pending (CHECK).
  ~Exact() override;

  bool claim(Provision& provision, Needs& needs) noexcept override;
  void begin(Provision& provision) noexcept override;
  bool must_flush(const Provision& provision) const noexcept override;
  void finish(Provision& provision) noexcept override;

  // With the operation lock held, between binds: whether the invariant above holds. Linear in the
  // number of pinned windows. For tests.
  struct Audit {
    std::uint32_t pinned = 0;   // windows
    std::uint32_t queued = 0;   // of these, by an asynchronous bind
    std::uint32_t missing = 0;  // of these, without a table
    std::uint32_t spare = 0;    // pages on the list
  };
  Audit audit() const noexcept;

 private:
  Result<> make_room(std::uint32_t windows, Provision& provision) override PANTRY_MAY_ALLOCATE;
  bool stands(TableWindow window) const noexcept {
    return table_.standing(window) == ArmLpaeS1Table::Standing::kTable;
  }

  static WindowPins::By by(const TableReserve& tables) {
    return tables.quota() ? WindowPins::By::kQueued : WindowPins::By::kSync;
  }

  // All under the operation lock.
  ArmLpaeS1Table& table_;
  PagePool& pool_;
  WindowPins pins_;
  PageList spare_;
  // Between begin and finish.
  std::uint32_t lent_ = 0;         // pages of spare_ that the running bind was given
  std::uint32_t used_before_ = 0;  // what its reserve had used by then
};

}  // namespace pantry::driver
