// SPDX-License-Identifier: MIT
//
// The GPU's MMU: the address-space blocks, the commands, the TLB and what every access of the
// device goes through.
//
// The TLB and the walk cache really cache. A table entry that the driver changed goes on being
// served until FLUSH_PT, FLUSH_MEM or UNLOCK of a region that covers it, or an UPDATE of the
// address space; entries are shared by all address spaces and replaced least recently used first.
// Translations of a locked region wait, served from the TLB or not.
//
// A watch (mmu_watch.h) may be attached that sees every use of what is cached. It takes nothing
// from the fast path: while there is one, that is not taken.
//
// State of the device, under its lock. Allocates while it is built, in dump(), and when a cache of
// Quirks::Caching::kSticky grows.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <random>
#include <vector>

#include "gpu_emu/misbehaviour.h"
#include "gpu_emu/mmio/device_clock.h"
#include "gpu_emu/mmio/irq_block.h"
#include "gpu_emu/mmio/register_file.h"
#include "gpu_emu/mmu/address_space.h"
#include "gpu_emu/mmu/gpu_memory.h"
#include "gpu_emu/mmu/mmu_watch.h"
#include "gpu_emu/mmu/recent_pages.h"
#include "gpu_emu/mmu/set_associative.h"
#include "gpu_emu/mmu/walker.h"
#include "gpu_emu/ports.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

// Where the MMU reports that the bus answered no: GPU_FAULT_STATUS, not an address space's.
class BusFaults {
 public:
  virtual void report_bus_fault(PhysAddr address, Access access, AsIndex as) = 0;

 protected:
  ~BusFaults() = default;
};

class Mmu final : public GpuMemory, private RegisterHandler {
 public:
  struct Config {
    Dram dram;
    std::uint32_t present = 0;  // AS_PRESENT
    AddressWidths widths;
  };
  // Declares the blocks that are present in `file`. All references outlive the MMU.
  Mmu(const Quirks& quirks, const Config& config, RegisterFile& file, IrqBlock& irq,
      BusFaults& bus_faults, DeviceClock& clock);

  // Once, before the first register access. Both outlive the MMU. Allocates.
  void attach(MmuWatch& watch, AddressSpaceUsers& users);
  // The same.
  void attach(Misbehaviour& misbehaviour) { misbehaviour_ = &misbehaviour; }

  Translation translate(AsIndex as, GpuVa va, Access access) override;

  // Ends the commands whose time has come; when the next one will end, or never().
  TimePoint advance(TimePoint now);
  // Soft or hard reset of the GPU: every address space is lost, caches and latches too.
  void reset();
  // An access waits for the driver to answer its fault: GPU_STATUS.PageFault.
  bool fault_unanswered() const;

  std::vector<AddressSpaceDump> dump() const;
  struct Counters {
    std::uint64_t hits = 0;
    std::uint64_t walks = 0;
    std::uint64_t fetches = 0;  // of table entries; walk-cache hits save them
    std::uint64_t stalls = 0;
    std::uint64_t faults = 0;
    std::uint64_t mistakes = 0;  // commands that a correct driver does not give; each was logged
  };
  Counters counters() const;

 private:
  using Command = AddressSpace::Command;

  struct TlbEntry {
    CacheTag tag;
    std::uint64_t last_used = 0;
    PhysAddr base;
    Permissions allows = 0;
    bool invalid = false;  // remembers that there is no translation (quirk)
  };
  struct Block {
    AddressSpace space;
    std::uint8_t cached_levels =
        0;                 // bit 3 - n: the TLB may hold leaves of level n. 0 when watched
    bool stalled = false;  // an access was told to come back
  };

  std::uint32_t read_register(std::uint32_t offset) override;
  void write_register(std::uint32_t offset, std::uint32_t value) override;
  void start_command(AsIndex as, std::uint32_t value);
  void finish_command(AsIndex as);
  TimePoint end_of_command(AsIndex as, Command command);
  void release(AsIndex as, GpuRange region, const char* command);
  WatchedSpace watched(AsIndex as);
  void tell_watch(AsIndex as, const AddressSpace::Issued& issued);
  void speculate() {
    if (quirks_.caching == Quirks::Caching::kSpeculative) [[unlikely]]
      walk_at_random();
  }
  void walk_at_random();
  void drop_cached(AsIndex as, GpuRange region);

  TlbEntry* find_cached(AsIndex as, std::uint8_t cached_levels, GpuVa va);
  Translation search(AsIndex as, GpuVa va, Access access);
  Translation translate_and_hold(AsIndex as, GpuVa va, Access access, HeldPage& held) override;
  Translation translate_slowly(AsIndex as, GpuVa va, Access access);
  Translation translate_by_tables(AsIndex as, GpuVa va, Access access);
  Translation translate_by_walk(AsIndex as, GpuVa va, Access access);
  Translation use(AsIndex as, GpuVa va, Access access, const TlbEntry& entry);
  std::expected<Leaf, WalkFailure> walk(AsIndex as, GpuVa va);
  std::expected<Leaf, WalkFailure> walk_watched(AsIndex as, GpuVa va);
  void flip_entry(AsIndex as, GpuVa va);
  void remember(AsIndex as, GpuVa va, const TlbEntry& entry, const Origin* origin);
  void remember_invalid(AsIndex as, unsigned level, GpuVa va, const Origin* origin);
  void remember_invalid_neighbours(AsIndex as, GpuVa va, const Leaf& leaf, const Origin* origin);
  CachedTranslation described(TlbEntry& entry);
  // `pa` is where `va` is; `bytes` from there on belong to the same leaf.
  Translation reach(AsIndex as, GpuVa va, Access access, PhysAddr pa, std::uint64_t bytes);
  Translation fault(AsIndex as, GpuVa va, Access access, datasheet::Exception code);
  Translation stall(AsIndex as);

  const Quirks quirks_;
  const Config config_;
  IrqBlock& irq_;
  BusFaults& bus_faults_;
  DeviceClock& clock_;
  std::array<Block, datasheet::address_space::kMaxCount> blocks_;
  SetAssociative<TlbEntry> tlb_;
  RecentPages recent_;  // empty when watched, and so nothing is held either
  Walker walker_;
  Counters counters_;
  MmuWatch* watch_ = nullptr;
  AddressSpaceUsers* users_ = nullptr;
  Misbehaviour* misbehaviour_ = nullptr;
  std::mt19937_64 random_;  // of kSpeculative
};

}  // namespace pantry::emu
