// SPDX-License-Identifier: MIT
//
// The calls by which a guest lets a device behind a hypervisor see pages of its memory (pKVM's
// host-to-device shares, for instance), as a port: a page table's pages must be seen by the device
// that walks it, and by nobody else's.
#pragma once

#include <cstddef>
#include <span>

#include "base/signalling.h"
#include "base/types.h"

namespace pantry::driver {

class Hypervisor {
 public:
  // Each takes a batch of distinct pages of 4 KiB, in order, and returns how many of them, from the
  // front, it has done. The first that it refuses ends the call, and nothing has changed for that
  // one and those behind it. Costs a world switch: not inside a SignallingSection.
  virtual std::size_t share(std::span<const PhysAddr> pages) noexcept PANTRY_MAY_ALLOCATE = 0;
  virtual std::size_t unshare(std::span<const PhysAddr> pages) noexcept PANTRY_MAY_ALLOCATE = 0;

 protected:
  ~Hypervisor() = default;
};

}  // namespace pantry::driver
