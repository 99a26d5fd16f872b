// SPDX-License-Identifier: MIT
//
// How hardware fails: what the device asks, at the moments where it may, when a test has attached
// one (Gpu::attach). Without it each question is a null pointer that is looked at, and none is on
// the path of a TLB hit or of an instruction.
//
// Called with the device's lock held: takes no lock that is held while the device is called,
// allocates nothing.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace pantry::emu {

// As it stands: hardware that never fails.
class Misbehaviour {
 public:
  enum class Line : std::uint8_t { kGpu, kJob, kMmu };
  // The line stays low where it would rise. RAWSTAT has the event all the same, so that the next
  // one of the block, or the next write to its mask, raises the line for both.
  virtual bool loses_interrupt(Line) { return false; }
  // The command never ends: STATUS says active until the GPU is reset.
  virtual bool as_command_sticks(std::uint32_t /*as*/) { return false; }
  // What FLUSH_CACHES of the GPU, FLUSH_PT or FLUSH_MEM takes on top; zero: nothing.
  virtual Duration extra_flush_time() { return {}; }
  // How much later the firmware looks at requests, now that doorbell 0 was rung; zero: not later.
  virtual Duration acknowledge_delay() { return {}; }
  // The firmware does nothing more from this doorbell on, until the MCU is switched off.
  virtual bool firmware_hangs() { return false; }
  // What SUSPEND has just written is not what RESUME will read.
  virtual bool corrupts_suspend_buffer() { return false; }
  // Bits that flip in the last-level entry that a walk is about to read; 0: none.
  virtual std::uint64_t flipped_pte_bits(std::uint32_t /*as*/) { return 0; }

 protected:
  ~Misbehaviour() = default;
};

}  // namespace pantry::emu
