// SPDX-License-Identifier: MIT
#include "gpu_emu/mmu/walker.h"

#include <array>
#include <atomic>

#include "base/check.h"
#include "gpu_emu/datasheet/aarch64_pte.h"
#include "gpu_emu/datasheet/mali_lpae_pte.h"

namespace pantry::emu {
namespace {

namespace as_regs = datasheet::address_space;
namespace arm = datasheet::aarch64_pte;
namespace legacy = datasheet::mali_lpae_pte;
using datasheet::Exception;

constexpr unsigned kLastLevel = 3;
constexpr Permissions kEverything = permission(Access::kRead) | permission(Access::kWrite) |
                                    permission(Access::kAtomic) | permission(Access::kExecute);
constexpr Permissions kWriting = permission(Access::kWrite) | permission(Access::kAtomic);

enum class EntryKind : std::uint8_t { kInvalid, kTable, kLeaf };

// One entry, read in the terms of its format.
struct Decoded {
  EntryKind kind = EntryKind::kInvalid;
  std::uint64_t address = 0;
  Permissions allows = kEverything;
  unsigned attribute = 0;
  bool accessed = true;
};

// Address bits of a leaf at `level`: 47:12, 47:21 or 47:30.
constexpr std::uint64_t leaf_address(std::uint64_t entry, std::uint64_t field, unsigned level) {
  return entry & field & ~((std::uint64_t{1} << level_shift(level)) - 1);
}

// Inlined into each kind of walk: what it returns would otherwise go through memory.
[[gnu::always_inline]] inline Decoded decode_arm(std::uint64_t entry, unsigned level,
                                                 const TranslationConfig& config) {
  Decoded result;
  switch (arm::DescriptorType::get(entry)) {
    case arm::Type::kInvalid:
    case arm::Type::kInvalidKbase:
      return result;
    case arm::Type::kBlock:
      if (level == 0 || level == kLastLevel) return result;
      break;
    case arm::Type::kTableOrPage:
      if (level == kLastLevel) break;
      result.kind = EntryKind::kTable;
      result.address = entry & arm::kAddressMask;
      if (config.hierarchy == TranslationConfig::Hierarchy::kHonoured) {
        // APTable: bit 0 takes unprivileged access away, and all of the GPU's is; bit 1 takes
        // writing away.
        if (arm::TableAp::get(entry) & 1) result.allows = 0;
        if (arm::TableAp::get(entry) & 2) result.allows &= ~kWriting;
        if (arm::TableXn::get(entry) || arm::TablePxn::get(entry))
          result.allows &= ~permission(Access::kExecute);
      }
      return result;
  }
  result.kind = EntryKind::kLeaf;
  result.address = leaf_address(entry, arm::kAddressMask, level);
  result.attribute = arm::AttrIndex::get(entry);
  result.accessed =
      arm::AccessFlag::get(entry) || config.access_flag == TranslationConfig::AccessFlag::kIgnored;
  if (!arm::ApUnprivileged::get(entry)) result.allows = 0;
  if (arm::ApReadOnly::get(entry)) result.allows &= ~kWriting;
  const bool never_executes = arm::ExecuteNever::get(entry) ||
                              arm::PrivilegedExecuteNever::get(entry) ||
                              (config.writable == TranslationConfig::Writable::kNeverExecutes &&
                               (result.allows & kWriting) != 0);
  if (never_executes) result.allows &= ~permission(Access::kExecute);
  return result;
}

// Read and write are granted apart. Atomics need both; execution needs reading.
Decoded decode_legacy(std::uint64_t entry, unsigned level) {
  Decoded result;
  switch (legacy::DescriptorType::get(entry)) {
    case legacy::Type::kLeaf:
      break;
    case legacy::Type::kTable:
      if (level == kLastLevel) return result;
      result.kind = EntryKind::kTable;
      result.address = entry & legacy::kAddressMask;
      return result;
    case legacy::Type::kInvalid:
    default:
      return result;
  }
  result.kind = EntryKind::kLeaf;
  result.address = leaf_address(entry, legacy::kAddressMask, level);
  result.attribute = legacy::AttrIndex::get(entry);
  const bool never_executes =
      legacy::ExecuteNever::get(entry) || legacy::PrivilegedExecuteNever::get(entry);
  if (!legacy::Read::get(entry)) result.allows = permission(Access::kWrite);
  if (!legacy::Write::get(entry)) result.allows &= ~kWriting;
  if (never_executes) result.allows &= ~permission(Access::kExecute);
  return result;
}

Decoded decode(std::uint64_t entry, unsigned level, const TranslationConfig& config) {
  return config.mode == TranslationConfig::Mode::kLegacy ? decode_legacy(entry, level)
                                                         : decode_arm(entry, level, config);
}

WalkFailure failure(Exception code_at_level0, unsigned level, WalkFailure::Cause cause,
                    PhysAddr entry) {
  return {datasheet::at_level(code_at_level0, level), level, cause, entry};
}

}  // namespace

Walker::Walker(const Dram& dram, const Quirks& quirks)
    : dram_(dram),
      abort_(quirks.table_fetch_abort),
      caching_(quirks.caching),
      tables_(quirks.walk_cache_sets, quirks.walk_cache_ways, when_full(quirks.caching)) {}

Walker::Position Walker::start(const TranslationConfig& config, AsIndex as, GpuVa va,
                               WatchedWalk* watched) {
  const unsigned root_level = config.start_level();
  for (unsigned level = kLastLevel; level-- > root_level;) {
    TableEntry* const entry = tables_.find(CacheTag::of(as, level, va));
    if (!entry) continue;
    if (watched) {
      watched->watch.on_used(watched->space, va, described(*entry));
      for (const FetchedEntry& above : tables_.origin_of(*entry).path()) watched->origin.add(above);
    }
    return {entry->next, level + 1, entry->allows};
  }
  return {config.root, root_level, kEverything};
}

std::expected<Leaf, WalkFailure> Walker::walk(const TranslationConfig& config, AsIndex as, GpuVa va,
                                              WatchedWalk* watched) {
  if (!watched) [[likely]] {
    return descend(
        dram_, abort_, config, va, [&] { return start(config, as, va, nullptr); },
        [&](FetchedEntry) { ++fetches_; },
        [&](unsigned level, PhysAddr next, Permissions allows) {
          if (caching_ != Quirks::Caching::kCoherent)
            tables_.insert({CacheTag::of(as, level, va), 0, next, allows});
        });
  }
  return descend(
      dram_, abort_, config, va, [&] { return start(config, as, va, watched); },
      [&](FetchedEntry entry) {
        ++fetches_;
        watched->watch.on_fetch(watched->space, va, entry);
        watched->origin.add(entry);
      },
      [&](unsigned level, PhysAddr next, Permissions allows) {
        if (caching_ == Quirks::Caching::kCoherent) return;
        TableEntry& cached = tables_.insert({CacheTag::of(as, level, va), 0, next, allows});
        tables_.origin_of(cached) = watched->origin;
        watched->watch.on_cached(watched->space, va, described(cached));
      });
}

std::expected<Leaf, WalkFailure> Walker::walk_memory(const Dram& dram,
                                                     const TranslationConfig& config, GpuVa va,
                                                     Origin& origin) {
  return descend(
      dram, Quirks::TableFetchAbort::kBusFault, config, va,
      [&] {
        return Position{config.root, config.start_level(), kEverything};
      },
      [&](FetchedEntry entry) { origin.add(entry); }, [](unsigned, PhysAddr, Permissions) {});
}

std::optional<GpuVa> Walker::random_valid_address(const TranslationConfig& config,
                                                  std::mt19937_64& random) const {
  PhysAddr table = config.root;
  std::uint64_t va = 0;
  // The root of a 33-bit space has 8 entries.
  std::uint64_t count = std::uint64_t{1} << (config.va_bits - level_shift(config.start_level()));
  for (unsigned level = config.start_level();; ++level, count = 1u << arm::kIndexBits) {
    auto* const entries = static_cast<std::uint64_t*>(dram_.at(table, count * arm::kEntryBytes));
    if (!entries) return std::nullopt;
    std::array<std::uint16_t, 1u << arm::kIndexBits> valid;
    std::uint32_t found = 0;
    const auto read = [&](std::uint64_t index) {
      const std::atomic_ref<std::uint64_t> word(entries[index]);
      return decode(word.load(std::memory_order_acquire), level, config);
    };
    for (std::uint64_t index = 0; index < count; ++index)
      if (read(index).kind != EntryKind::kInvalid)
        valid[found++] = static_cast<std::uint16_t>(index);
    if (found == 0) return std::nullopt;
    const std::uint64_t index = valid[random() % found];
    va |= index << level_shift(level);
    const Decoded entry = read(index);
    if (entry.kind == EntryKind::kInvalid) return std::nullopt;
    if (entry.kind == EntryKind::kLeaf) return GpuVa{va};
    table = {entry.address};
  }
}

template <class Start, class Fetched, class Found>
std::expected<Leaf, WalkFailure> Walker::descend(const Dram& dram, Quirks::TableFetchAbort abort,
                                                 const TranslationConfig& config, GpuVa va,
                                                 Start start, Fetched fetched, Found found) {
  using Cause = WalkFailure::Cause;
  if (va.value >> config.va_bits != 0)
    return std::unexpected(WalkFailure{Exception::kAddressSizeFaultIn, 0, Cause::kAddress, {}});
  if (config.root.value >> config.pa_bits != 0)
    return std::unexpected(
        failure(Exception::kAddressSizeFaultOut0, 0, Cause::kBadEntry, config.root));

  Position at = start();
  for (;; ++at.level) {
    PANTRY_CHECK(at.level <= kLastLevel);
    // The root of a 33-bit space has 8 entries: va >> 30 is below 8 already.
    const std::uint64_t index = va.value >> level_shift(at.level) & ((1u << arm::kIndexBits) - 1);
    const PhysAddr place = at.table + index * arm::kEntryBytes;
    auto* const host = static_cast<std::uint64_t*>(dram.at(place, arm::kEntryBytes));
    if (!host) {
      if (abort == Quirks::TableFetchAbort::kBusFault)
        return std::unexpected(WalkFailure{Exception::kGpuBusFault, at.level, Cause::kBus, place});
      return std::unexpected(failure(Exception::kTranslationFault0, at.level, Cause::kBus, place));
    }
    const std::uint64_t word =
        std::atomic_ref<std::uint64_t>(*host).load(std::memory_order_acquire);
    fetched(FetchedEntry{place, word});

    const Decoded entry = decode(word, at.level, config);
    if (entry.kind == EntryKind::kInvalid)
      return std::unexpected(
          failure(Exception::kTranslationFault0, at.level, Cause::kInvalidEntry, place));
    if (entry.address >> config.pa_bits != 0)
      return std::unexpected(
          failure(Exception::kAddressSizeFaultOut0, at.level, Cause::kBadEntry, place));
    at.allows &= entry.allows;
    if (entry.kind == EntryKind::kTable) {
      at.table = {entry.address};
      found(at.level, at.table, at.allows);
      continue;
    }
    if (!entry.accessed)
      return std::unexpected(failure(Exception::kAccessFlag0, at.level, Cause::kBadEntry, place));
    const auto attribute = as_regs::memattr_byte(config.memattr, entry.attribute);
    if (as_regs::MemoryAttribute::Class::get(attribute) == as_regs::MemoryClass::kFault)
      return std::unexpected(
          failure(Exception::kMemoryAttributeFault0, at.level, Cause::kBadEntry, place));
    return Leaf{{entry.address}, at.level, at.allows, place};
  }
}

}  // namespace pantry::emu
