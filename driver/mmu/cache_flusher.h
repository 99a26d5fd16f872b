// SPDX-License-Identifier: MIT
//
// The GPU-wide cache flush that an update of a page table ends with, between the edit and UNLOCK:
// GPU_COMMAND 0x23304 (clean and invalidate the L2 and the load/store caches, invalidate the
// others). The newest Panthor does it this way, and UNLOCK then drops the TLB entries of the
// region; 6.12 has FLUSH_PT for both.
//
// GPU_COMMAND and its completion, bit 17 of the GPU interrupt, belong to driver/device, so that
// room implements this. The flush is called inside SignallingSections, with locks held, before
// interrupts are attached and while the interrupt lane is busy. So an implementation polls
// (Clock::poll, 100 ms) for "the handler has seen bit 17, or RAWSTAT has it now", and serialises
// with its own other flushes by a leaf lock, under which it only polls. It never waits for the
// interrupt lane.
#pragma once

namespace pantry::driver {

class CacheFlusher {
 public:
  enum class Outcome { kDone, kTimedOut };
  // Returns when the flush is complete. kTimedOut: the caller asks for a reset.
  virtual Outcome flush_all_caches() noexcept = 0;

 protected:
  ~CacheFlusher() = default;
};

}  // namespace pantry::driver
