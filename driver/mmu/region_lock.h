// SPDX-License-Identifier: MIT
//
// Holds a range of a VM locked in the device's MMU while its page table is edited. The constructor
// locks the range if the VM owns a slot; the destructor flushes it and unlocks. So no path can
// forget the flush, and an access of the device to the range waits until the edit is whole: the
// kept part of a split block never faults and never shows a stale byte.
//
// Order, that of the newest Panthor: LOCKADDR, LOCK, edit, GPU cache flush (CacheFlusher), UNLOCK,
// which drops the region's TLB entries. The VM cannot lose or gain a slot while the lock is held:
// whoever wants that waits. Locks of different VMs do not wait for each other, but for their
// register accesses. One lock per VM at a time (its operation lock sees to that). Allowed inside a
// SignallingSection: apart from that short lock it only polls the device. A VM without a slot pays
// two atomic operations and takes no lock at all.
#pragma once

#include <concepts>

#include "driver/mmu/address_spaces.h"

namespace pantry::driver {

class RegionLock {
 public:
  // `range` is widened by the caller to whatever a split block needs (2 MiB).
  RegionLock(AddressSpaces& spaces, AsOwner& owner, GpuRange range)
      : RegionLock(spaces, owner, [range] { return range; }) {}
  // `range()` is asked only if the VM owns a slot.
  template <class Range>
  requires std::same_as<std::invoke_result_t<Range&>, GpuRange> RegionLock(AddressSpaces& spaces,
                                                                           AsOwner& owner,
                                                                           Range range)
      : spaces_(spaces), owner_(owner) {
    if (!spaces_.begin_update_without_slot(owner_)) spaces_.begin_update(owner_, range());
  }
  ~RegionLock() { spaces_.end_update(owner_); }
  RegionLock(const RegionLock&) = delete;
  RegionLock& operator=(const RegionLock&) = delete;

 private:
  AddressSpaces& spaces_;
  AsOwner& owner_;
};

}  // namespace pantry::driver
