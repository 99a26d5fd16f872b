// SPDX-License-Identifier: MIT
#include "base/trace_ring.h"

namespace pantry {

void TraceRing::trace(const char* what, std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t sequence = next_.fetch_add(1, std::memory_order_acq_rel);
  Slot& slot = slots_[sequence % kCapacity];
  slot.stamp.store(2 * sequence + 1, std::memory_order_release);
  slot.what.store(what, std::memory_order_release);
  slot.a.store(a, std::memory_order_release);
  slot.b.store(b, std::memory_order_release);
  slot.stamp.store(2 * sequence + 2, std::memory_order_release);
}

bool TraceRing::read(std::uint64_t sequence, TraceEvent& event) const noexcept {
  const Slot& slot = slots_[sequence % kCapacity];
  if (slot.stamp.load(std::memory_order_acquire) != 2 * sequence + 2) return false;
  event = {slot.what.load(std::memory_order_acquire), slot.a.load(std::memory_order_acquire),
           slot.b.load(std::memory_order_acquire)};
  return slot.stamp.load(std::memory_order_acquire) == 2 * sequence + 2;
}

TraceRing& trace_ring() noexcept {
  static TraceRing ring;
  return ring;
}

}  // namespace pantry
