// SPDX-License-Identifier: MIT
//
// How many table pages a bind is given, so that running it cannot fail: the interface behind which
// the ways to answer that can be compared. One per VM.
//
// The life of a bind, as the VM sees it:
//
//   prepare   in the ioctl, without the lock: count under the operation lock, unlock, allocate,
//             lock, count again, until what is held suffices; no lock is held across an allocation;
//   begin     under the operation lock: from here on the bind has what it may take;
//   (run)     the bind edits the page table, with Provision::tables() as allocator: a map by
//             RadixTable::clear and map (or map_repeated), an unmap by RadixTable::unmap, each of
//             the whole range;
//   finish    under the same hold of the lock, and after the flush if must_flush() says so: what
//             others rely on stays, the rest may be released (TableReserve::release_after_flush,
//             after the flush, without the lock). The next bind begins after that.
//
// A bind that is not to run, or that fails before it edits anything, leaves (run) out; between
// begin and finish the caller then prunes its range (RadixTable::prune) and flushes it. Binds may
// run in any order, and others may come between that no provisioner knows of, as long as these only
// unmap and cut no block. What differs between provisioners is what they count, and how they see to
// it that what they counted as present is there when the bind runs.
#pragma once

#include <cstdint>

#include "base/mutex.h"
#include "base/result.h"
#include "driver/provision/provision.h"

namespace pantry::driver {

class PagePool;

class Provisioner {
 public:
  // Every bind has finished.
  virtual ~Provisioner() = default;

  // To the quota of a bind that will be pending, in pages: what it is besides its table pages, some
  // nodes and list entries, is memory as well. So the quota bounds the number of pending binds too.
  static constexpr std::uint32_t kLeastCharge = 1;

  // Everything that running `shape` can take, whatever runs before it, laid into `tables`, which is
  // empty and has a pool; and a quota, if the bind will be pending. ENOMEM: nothing is held.
  Result<Provision> prepare(const BindShape& shape, TableReserve tables,
                            Mutex& operation_lock) PANTRY_MAY_ALLOCATE
      PANTRY_EXCLUDES(operation_lock);

  // The same in parts, for who has more to lay in or runs the bind at once: claim until it says
  // yes, and supply in between what it asks for.
  //
  // What a bind must hold before it can be accepted.
  struct Needs {
    std::uint32_t charge = 0;   // to its quota, if that is more than `pages`
    std::uint32_t pages = 0;    // in its reserve
    std::uint32_t windows = 0;  // room to remember them
  };
  // Accepts the bind if what `provision` holds suffices; else false, and `needs` says what would.
  // With the operation lock held; neither allocates nor blocks, and is allowed inside a
  // SignallingSection. Pre: a bind that will be pending is charged with kLeastCharge.
  [[nodiscard]] virtual bool claim(Provision& provision, Needs& needs) noexcept = 0;
  // ENOMEM. Without the lock.
  Result<> supply(const Needs& needs, Provision& provision) PANTRY_MAY_ALLOCATE;

  // Both with the operation lock held. Neither allocates, blocks nor fails; allowed inside a
  // SignallingSection. `provision` may be one that has no claim.
  virtual void begin(Provision& provision) noexcept = 0;
  // Whether tables that the bind has freed are needed by others, and so must be flushed before it
  // can finish. Else binds that run one after the other may share a flush.
  virtual bool must_flush(const Provision& provision) const noexcept = 0;
  virtual void finish(Provision& provision) noexcept = 0;

 private:
  // Lays in memory to remember `windows`. Without the lock. ENOMEM.
  virtual Result<> make_room(std::uint32_t windows, Provision& provision) PANTRY_MAY_ALLOCATE = 0;
};

}  // namespace pantry::driver
