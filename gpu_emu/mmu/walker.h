// SPDX-License-Identifier: MIT
//
// Walks the tables of one address space. Written from the architecture's facts and sharing nothing
// but bit positions with the driver's page-table writer, so that each checks the other. Entries are
// read with 8-byte acquire loads, since the driver writes them at the same time; a table outside
// DRAM is reported, never dereferenced.
//
// Of several things wrong with one entry the first of this order is reported: invalid, output
// address too large, access flag, memory attribute; the permissions come last and are the caller's
// to check, since they are cached with the leaf.
//
// Allocates in the constructor only. Called with the device's lock held.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <random>

#include "base/types.h"
#include "gpu_emu/datasheet/exception.h"
#include "gpu_emu/mmu/gpu_memory.h"
#include "gpu_emu/mmu/mmu_watch.h"
#include "gpu_emu/mmu/set_associative.h"
#include "gpu_emu/mmu/translation_config.h"
#include "gpu_emu/ports.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

// Which kinds of access a leaf allows: bit n for Access n.
using Permissions = std::uint8_t;
constexpr Permissions permission(Access access) {
  return static_cast<Permissions>(1u << static_cast<unsigned>(access));
}

struct Leaf {
  PhysAddr base;       // of the whole leaf
  unsigned level = 0;  // 3: 4 KiB, 2: 2 MiB, 1: 1 GiB, 0: 512 GiB (legacy format only)
  Permissions allows = 0;
  PhysAddr entry;  // where it was read
  bool operator==(const Leaf&) const = default;
};

struct WalkFailure {
  datasheet::Exception code = datasheet::Exception::kOk;
  unsigned level = 0;
  enum class Cause : std::uint8_t {
    kAddress,       // of the input: no entry was read
    kInvalidEntry,  // at `level`
    kBadEntry,      // valid, but not usable
    kBus,           // `entry` lies outside DRAM
  };
  Cause cause = Cause::kAddress;
  PhysAddr entry;
};

class Walker {
 public:
  Walker(const Dram& dram, const Quirks& quirks);

  // `config.mode` is kAarch64 or kLegacy. Starts below the deepest table descriptor that the walk
  // cache still has for `va`, right or wrong, and remembers those it reads.
  // `watched`, if not null, is told, and its origin filled with what the walk read, table entries
  // that it only found cached included. Needs remember_origins().
  struct WatchedWalk {
    MmuWatch& watch;
    WatchedSpace space;
    Origin origin;
  };
  std::expected<Leaf, WalkFailure> walk(const TranslationConfig& config, AsIndex as, GpuVa va,
                                        WatchedWalk* watched = nullptr);
  // What a walk would find now that starts at the root and caches nothing. Any thread: reads memory
  // alone.
  static std::expected<Leaf, WalkFailure> walk_memory(const Dram& dram,
                                                      const TranslationConfig& config, GpuVa va,
                                                      Origin& origin);
  // A valid address, picked at random among the valid entries at each level; none when a table has
  // none. Reads memory alone, all entries of up to four tables.
  std::optional<GpuVa> random_valid_address(const TranslationConfig& config,
                                            std::mt19937_64& random) const;

  // Once, before the first walk. Allocates.
  void remember_origins() { tables_.remember_origins(); }
  // visit(CachedTranslation) for each table descriptor that is cached.
  template <class Visit>
  void for_each_cached(Visit visit) {
    tables_.for_each([&](TableEntry& entry) { visit(described(entry)); });
  }

  // Forgets table descriptors.
  void drop(AsIndex as, GpuRange range) { tables_.drop(as, range); }
  void drop_all() { tables_.drop_all(); }

  // Table entries read so far.
  std::uint64_t fetches() const { return fetches_; }

 private:
  struct TableEntry {
    CacheTag tag;
    std::uint64_t last_used = 0;
    PhysAddr next;
    Permissions allows = 0;  // what the tables above leave to the leaves below
  };
  struct Position {
    PhysAddr table;
    unsigned level = 0;
    Permissions allows = 0;
  };
  Position start(const TranslationConfig& config, AsIndex as, GpuVa va, WatchedWalk* watched);
  // From the Position that `start` returns. `fetched` is given each entry that was read, `found`
  // each table descriptor on the way: its level and what it says.
  template <class Start, class Fetched, class Found>
  static std::expected<Leaf, WalkFailure> descend(const Dram& dram, Quirks::TableFetchAbort abort,
                                                  const TranslationConfig& config, GpuVa va,
                                                  Start start, Fetched fetched, Found found);
  CachedTranslation described(TableEntry& entry) {
    return {CachedTranslation::Kind::kTable, entry.tag, entry.next, entry.allows,
            tables_.origin_of(entry)};
  }

  const Dram dram_;
  const Quirks::TableFetchAbort abort_;
  const Quirks::Caching caching_;
  SetAssociative<TableEntry> tables_;
  std::uint64_t fetches_ = 0;
};

}  // namespace pantry::emu
