// SPDX-License-Identifier: MIT
//
// Holds a range of a VM locked in the device's MMU while its page table is edited. The constructor locks the range if the
// VM owns a slot; the destructor flushes it and unlocks. So no path can forget the flush, and an access of the device to
// the range waits until the edit is whole: the kept part of a split block never faults and never shows a stale byte.
//
// Order, that of the newest Panthor: LOCKADDR, LOCK, edit, GPU cache flush, UNLOCK. The VM cannot lose or gain a slot
// while the lock is held. Allowed inside a SignallingSection: it only polls the device.
#pragma once

#include "driver/mmu/address_spaces.h"

namespace pantry::driver {

class RegionLock {
 public:
  // `range` is widened by the caller to whatever a split block needs (2 MiB).
  RegionLock(AddressSpaces& spaces, AsOwner& owner, GpuRange range);
  ~RegionLock();
  RegionLock(const RegionLock&) = delete;
  RegionLock& operator=(const RegionLock&) = delete;

 private:
  AddressSpaces& spaces_;
  std::optional<std::uint32_t> slot_;
};

}  // namespace pantry::driver
