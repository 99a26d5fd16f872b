// SPDX-License-Identifier: MIT
#include "base/trace_ring.h"

namespace pantry {

void TraceRing::trace(const char* what, std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t sequence = next_.fetch_add(1, std::memory_order_acq_rel);
  Slot& slot = slots_[sequence % kCapacity];
  // An odd stamp is a writer that was overtaken by a whole lap: waiting for it could last, so this
  // event is dropped.
  std::uint64_t stamp = slot.stamp.load(std::memory_order_relaxed);
  if ((stamp & 1) != 0 || stamp > 2 * sequence ||
      !slot.stamp.compare_exchange_strong(stamp, 2 * sequence + 1, std::memory_order_acquire))
    return;
  slot.what.store(what, std::memory_order_release);
  slot.a.store(a, std::memory_order_release);
  slot.b.store(b, std::memory_order_release);
  slot.stamp.store(2 * sequence + 2, std::memory_order_release);
}

// A reader that sees any of a newer event's words also sees its odd stamp, or a later one, in the
// second look.
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
