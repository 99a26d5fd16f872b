// SPDX-License-Identifier: MIT
//
// Registers between a driver and its device that make the driver look as if it made one mistake
// with its address spaces, again and again while they are armed. The driver is the real one and
// knows nothing of it. Any driver that reaches its device through emu::Mmio can be put behind this.
//
// Works on address spaces other than the MCU's. No lock: one access at a time (simulation).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/seams.h"

namespace pantry::seeded {

enum class Seed : std::uint8_t {
  kNone,
  // What is lost.
  kNoLock,      // LOCK
  kNoUnlock,    // UNLOCK, or FLUSH_PT where the driver gives that instead; so below as well
  kNoFlush,     // LOCK and UNLOCK
  kNoFlushMem,  // FLUSH_MEM, which comes before UPDATE
  kNoUpdate,
  // What comes at another time.
  kEarlyFlush,   // UNLOCK right after LOCK, and something is cached before the driver goes on
  kLateLock,     // LOCK right before UNLOCK
  kLateFlush,    // LOCK and UNLOCK when the next command is given, or at disarm()
  kEarlyUpdate,  // UPDATE before the registers that it commits
  kSecondUnlock,
  kLateRegister,  // LOCKADDR once more, right after LOCK
  // What says something else.
  kNextRegion,      // LOCKADDR: the region after the one that was meant
  kFarRegion,       // ... 1 TiB away
  kHalfRegion,      // ... only the first half
  kSmallestRegion,  // ... only the first 32 KiB
  kOtherSpace,      // LOCKADDR, LOCK, UNLOCK: to another address space
  kOtherUpdate,     // UPDATE: to another address space
  kUnknown,         // UNLOCK: a command that does not exist
  kNoWaiting,       // STATUS always reads as idle
  // What the driver never said.
  kSpaceStolen,  // before LOCK: no tables any more, and UPDATE
  kRootStolen,   // before LOCK: another root, and UPDATE
  // What the allocator of frames does wrong (seeded_frames.h).
  kFreedEarly,     // what was handed out is free while it is in use
  kReusedAtOnce,   // ... and somebody else's
  kHandedOutFree,  // what is handed out was not taken from what is free
  // What is no mistake, and must not be taken for one.
  kLargerRegion,        // LOCKADDR: twice the region
  kWholeSpace,          // ... everything
  kFlushPt,             // FLUSH_PT for UNLOCK
  kFlushMem,            // FLUSH_MEM for UNLOCK
  kLockTwice,           // the same region
  kOneFlushTooMany,     // LOCK and UNLOCK of the region once more
  kSpuriousInterrupts,  // all lines, whenever one changes (seeded_lines.h)
  kBouncingLine,        // a line that changes goes back and forth
};

class SeededMmio final : public emu::Mmio, public emu::MmioSeam {
 public:
  // Room for what is late: inside a SignallingSection nothing may be allocated.
  explicit SeededMmio(Seed seed) : seed_(seed) { late_.reserve(16); }

  emu::Mmio& put_before(emu::Mmio& device) override;
  void arm() { armed_ = true; }
  // Delivers what is late.
  void disarm();

  std::uint32_t read32(std::uint32_t offset) override;
  void write32(std::uint32_t offset, std::uint32_t value) override;

  // Accesses that the seed changed, so that a seed that does nothing is noticed.
  std::uint64_t changed() const { return changed_; }

 private:
  using Command = datasheet::address_space::Command;
  struct Write {
    std::uint32_t offset;
    std::uint32_t value;
  };

  void write_lockaddr(std::uint32_t as, std::uint32_t offset, std::uint32_t value);
  void command(std::uint32_t as, Command command);
  void give(std::uint32_t as, Command command);
  void set64(std::uint32_t as, datasheet::Register reg, std::uint64_t value);
  std::uint64_t region_of_seed(std::uint64_t lockaddr) const;
  void steal(std::uint32_t as);
  void deliver();

  const Seed seed_;
  emu::Mmio* device_ = nullptr;
  bool armed_ = false;
  std::uint64_t changed_ = 0;
  std::array<std::uint64_t, datasheet::address_space::kMaxCount> lockaddr_{};
  std::vector<Write> late_;
};

}  // namespace pantry::seeded
