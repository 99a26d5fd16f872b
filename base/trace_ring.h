// SPDX-License-Identifier: MIT
//
// A fixed ring of small events: the only output that is allowed while signalling. trace() writes
// one slot without locking, allocating or formatting; when the ring is full the oldest events are
// overwritten.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace pantry {

struct TraceEvent {
  const char* what = nullptr;  // static storage
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};

class TraceRing {
 public:
  static constexpr std::uint32_t kCapacity = 4096;

  // Any thread, also inside a SignallingSection.
  void trace(const char* what, std::uint64_t a, std::uint64_t b) noexcept;
  // Calls `visit(sequence, event)` for the events still there, oldest first. An event that is being
  // overwritten at that moment is left out.
  template <class Visit>
  void for_each(Visit visit) const {
    const std::uint64_t end = next_.load(std::memory_order_acquire);
    for (std::uint64_t n = end > kCapacity ? end - kCapacity : 0; n < end; ++n) {
      TraceEvent event;
      if (read(n, event)) visit(n, event);
    }
  }

 private:
  struct Slot {
    std::atomic<std::uint64_t> stamp{0};  // 2n+1 while event n is written, 2n+2 once it is complete
    std::atomic<const char*> what{nullptr};
    std::atomic<std::uint64_t> a{0};
    std::atomic<std::uint64_t> b{0};
  };
  bool read(std::uint64_t sequence, TraceEvent& event) const noexcept;

  std::atomic<std::uint64_t> next_{0};
  std::array<Slot, kCapacity> slots_;
};

// The process-wide ring; the host prints it when a check fails or on request.
TraceRing& trace_ring() noexcept;

}  // namespace pantry
