// SPDX-License-Identifier: MIT
//
// What the MMU tells whoever watches it: the checker (gpu_emu/checker), in builds of any kind. All
// calls come with the device's lock held, on the thread that runs the device or on one that
// accesses a register, perhaps inside a driver's SignallingSection: the watch neither waits nor
// allocates. Nobody watching costs a test of a pointer on paths that are slow anyway.
#pragma once

#include <cstdint>
#include <optional>

#include "base/types.h"
#include "gpu_emu/mmu/address_space.h"
#include "gpu_emu/mmu/origin.h"
#include "gpu_emu/mmu/set_associative.h"

namespace pantry::emu {

// An entry of the TLB or of the walk cache. A value, but for its origin, which lives in the cache.
struct CachedTranslation {
  enum class Kind : std::uint8_t {
    kLeaf,
    kInvalid,  // remembers that there is none (quirk)
    kTable,
  };
  Kind kind;
  CacheTag tag;
  PhysAddr target;          // of the leaf, or the next table
  std::uint8_t allows = 0;  // Permissions
  Origin& origin;
};

// An address space as a watch may see it.
struct WatchedSpace {
  AsIndex as;
  const ConfigWords& written;
  const ConfigWords& committed;
  const TranslationConfig& config;
  std::optional<GpuRange> locked;
  AddressSpaceDump::Fault fault;
};

// A command that is about to take effect.
struct WatchedCommand {
  datasheet::address_space::Command command;
  GpuRange region;            // of LOCK: from LOCKADDR; else the locked one, or LOCKADDR if none is
  const ConfigWords& config;  // what UPDATE commits
  std::uint32_t in_use;       // AddressSpaceUsers
};

class MmuWatch {
 public:
  // Before a command takes effect; NOP has none. Then examine() for everything that is cached, of
  // all address spaces, and examined(); only then the effect.
  virtual void on_command(const WatchedSpace& space, const WatchedCommand& command) = 0;
  virtual void examine(const WatchedSpace& space, const CachedTranslation& cached) = 0;
  virtual void examined() = 0;
  // A command that is lost because another one is in progress, or that does not exist.
  virtual void on_lost_command(const WatchedSpace& space, std::uint32_t command) = 0;
  // A register of the block (not COMMAND) is written while a command is in progress.
  virtual void on_disturbed_command(const WatchedSpace& space, std::uint32_t offset) = 0;

  // A walk reads a table entry. The first of a walk is in the root, or below a cached table.
  virtual void on_fetch(const WatchedSpace& space, GpuVa va, FetchedEntry entry) = 0;
  // An entry has just been cached, and is used by the access that caused the walk, if one did.
  virtual void on_cached(const WatchedSpace& space, GpuVa va, const CachedTranslation& cached) = 0;
  // A leaf has just been cached that lies over or under `cached`, a leaf of another size.
  virtual void on_overlap(const WatchedSpace& space, const CachedTranslation& cached) = 0;
  // A cached entry serves an access to `va`, or a walk to it.
  virtual void on_used(const WatchedSpace& space, GpuVa va, const CachedTranslation& cached) = 0;
  // An access faults for the first time since the driver last answered a fault.
  virtual void on_fault(const WatchedSpace& space, GpuVa va) = 0;
  // Everything is forgotten.
  virtual void on_reset() = 0;

 protected:
  ~MmuWatch() = default;
};

// Bit n: address space n is in use by something that runs. Called with the device's lock held.
class AddressSpaceUsers {
 public:
  virtual std::uint32_t address_spaces_in_use() = 0;

 protected:
  ~AddressSpaceUsers() = default;
};

}  // namespace pantry::emu
