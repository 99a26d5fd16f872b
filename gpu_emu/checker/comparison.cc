// SPDX-License-Identifier: MIT
#include "gpu_emu/checker/comparison.h"

#include <atomic>

#include "gpu_emu/mmu/walker.h"

namespace pantry::emu {
namespace {

// 0, which is invalid in every format, where there is no memory.
std::uint64_t word_at(const Dram& dram, PhysAddr place) {
  auto* const host = static_cast<std::uint64_t*>(dram.at(place, sizeof(std::uint64_t)));
  return host ? std::atomic_ref<std::uint64_t>(*host).load(std::memory_order_acquire) : 0;
}

Difference compare_leaf(const CachedTranslation& cached,
                        const std::expected<Leaf, WalkFailure>& now, const Origin& way) {
  if (cached.kind == CachedTranslation::Kind::kInvalid)
    return now ? Difference::kMapped : Difference::kWayOnly;
  // A table where the block was, whatever it says about the block's first page.
  if (way.path().size() > cached.origin.path().size()) return Difference::kOtherSize;
  if (!now) return Difference::kUnmapped;
  if (now->level != cached.tag.level()) return Difference::kOtherSize;
  if (now->base != cached.target) return Difference::kRemapped;
  if (now->allows != cached.allows) return Difference::kPermissions;
  return Difference::kWayOnly;
}

// `depth`: how many entries from the root to the table descriptor in question, itself included.
Difference compare_table(const CachedTranslation& cached, std::size_t depth,
                         const std::expected<Leaf, WalkFailure>& now, const Origin& way) {
  if (way.path().size() > depth) {
    const PhysAddr table{align_down(way.path()[depth].place.value, kPageSize)};
    return table == cached.target ? Difference::kWayOnly : Difference::kOtherTable;
  }
  return now ? Difference::kOtherSize : Difference::kUnmapped;
}

}  // namespace

bool is_unchanged(const Dram& dram, const Origin& origin) {
  for (const FetchedEntry& entry : origin.path())
    if (word_at(dram, entry.place) != entry.word) return false;
  return true;
}

Comparison compare(const Dram& dram, const TranslationConfig& config,
                   const CachedTranslation& cached) {
  Comparison result;
  bool changed = false;
  for (const FetchedEntry& entry : cached.origin.path()) {
    result.was = entry;
    result.is = word_at(dram, entry.place);
    if ((changed = result.is != entry.word)) break;
  }
  if (!changed) return result;
  Origin way;
  const auto now = Walker::walk_memory(dram, config, cached.tag.covers().first, way);
  result.difference = cached.kind == CachedTranslation::Kind::kTable
                          ? compare_table(cached, cached.origin.path().size(), now, way)
                          : compare_leaf(cached, now, way);
  return result;
}

}  // namespace pantry::emu
