// SPDX-License-Identifier: MIT
//
// The part of RadixTable's body that changes leaves which are there: splitting and re-forming,
// permissions, dirty state. Included by radix_table_impl.h only.
//
// The device may note a write in a leaf while we replace it, and another writer may take the hint
// out of a run that both share, so a leaf that keeps its dirtiness is replaced by compare-and-swap.
#pragma once

#include "driver/iopgtable/radix_table.h"
#include "driver/iopgtable/store_run.h"

namespace pantry::driver {

// Makes both ends of `range` edges of leaves, and of runs.
template <TableFormat Format, class Writers>
Result<> RadixTable<Format, Writers>::split_edges(GpuRange range, PageTableAllocator& allocator) {
  PANTRY_TRY(split_at(range.first, allocator));
  if (range.last != space().last) PANTRY_TRY(split_at(range.last + 1, allocator));
  return {};
}

template <TableFormat Format, class Writers>
Result<> RadixTable<Format, Writers>::split_at(GpuVa boundary, PageTableAllocator& allocator) {
  // Pages are never split, but a run of them may be parted.
  const bool runs = config_.contiguous == ContiguousHint::kWherePossible;
  const std::uint32_t lowest = runs ? 0 : 1;
  Table table = at(root_);
  for (std::uint32_t height = top_;; --height) {
    const std::uint32_t i = index(boundary, height);
    std::uint64_t* const slot = table.entries + i;
    std::uint64_t entry = load_entry(slot);
    if (runs && is_leaf(entry, height) && in_run(entry) &&
        !is_aligned(boundary.value, run_span(height)))
      part_run(table, i);
    if (height == 0 || is_aligned(boundary.value, span(height))) return {};
    if (is_leaf(entry, height)) {
      PANTRY_TRY(split_block(slot, boundary, height, allocator));
      entry = load_entry(slot);
    }
    if constexpr (!Writers::kShared) {
      if (entry != 0 && any_repeated() && is_repeated(child(entry, height))) {
        PANTRY_TRY(own_table(slot, boundary, height, allocator));
        entry = load_entry(slot);
      }
    }
    if (entry == 0 || height == lowest) return {};
    table = child(entry, height);
  }
}

// The block in `slot`, which holds `va`, becomes a table of smaller leaves that map the same.
template <TableFormat Format, class Writers>
Result<> RadixTable<Format, Writers>::split_block(std::uint64_t* slot, GpuVa va,
                                                  std::uint32_t height,
                                                  PageTableAllocator& allocator) {
  const Result<Table> below = new_table(TableWindow::around(va, height - 1), allocator);
  if (!below) return Error(below.error());
  Writers::reserve(*below, kTableEntries);
  Writers::commit(*below, 0, kTableEntries);
  std::uint64_t block = load_entry(slot);
  do {
    if (!is_leaf(block, height)) {  // another writer has split it
      allocator.free(below->address, kPageSize);
      return {};
    }
    std::uint64_t leaf = new_leaf(Format::address(block, height), Format::prot(block), height - 1);
    if constexpr (DirtyFormat<Format>)
      if (tracks_dirty() && Format::is_dirty(block)) leaf = Format::mark_dirty(leaf);
    store_run(below->entries, kTableEntries, leaf, Format::leaf_step(height - 1));
    // One store swaps block for table; both say the same, so the kept part never faults.
  } while (!replace_entry(slot, block, Format::table(below->address, height)));
  Writers::count(tables_at_[height - 1], 1);
  return {};
}

// Takes the hint out of the run that the leaf belongs to.
template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::part_run(const Table& table, std::uint32_t index) {
  if constexpr (ContiguousFormat<Format>) {
    const std::uint32_t first = index / Format::kRunLeaves * Format::kRunLeaves;
    for (std::uint32_t i = first; i < first + Format::kRunLeaves; ++i)
      clear_bits(table.entries + i, Format::kContiguousBit);
  }
}

template <TableFormat Format, class Writers>
Result<std::uint64_t> RadixTable<Format, Writers>::protect(GpuRange range, Prot prot,
                                                           PageTableAllocator& allocator) noexcept {
  check_range(range);
  PANTRY_TRY(split_edges(range, allocator));
  return protect_in(at(root_), top_, range, prot);
}

// Pre: no leaf sticks out of `range`. Returns the bytes that are mapped.
template <TableFormat Format, class Writers>
std::uint64_t RadixTable<Format, Writers>::protect_in(const Table& table, std::uint32_t height,
                                                      GpuRange range, Prot prot) {
  std::uint64_t bytes = 0;
  const GpuVa base = base_of(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  for (std::uint32_t i = Writers::next_present(table, index(range.first, height), end); i < end;
       i = Writers::next_present(table, i + 1, end)) {
    std::uint64_t* const slot = table.entries + i;
    std::uint64_t entry = load_entry(slot);
    if (Writers::kShared && entry == 0) continue;
    if (!is_leaf(entry, height)) {
      const GpuRange part = intersection(slot_range(base, i, height), range);
      PANTRY_CHECK(!is_repeated(child(entry, height)));
      bytes += protect_in(child(entry, height), height - 1, part, prot);
      continue;
    }
    std::uint64_t leaf;
    do {
      leaf = new_leaf(Format::address(entry, height), prot, height);
      if constexpr (DirtyFormat<Format>)
        if (tracks_dirty() && Format::is_dirty(entry)) leaf = Format::mark_dirty(leaf);
      if constexpr (ContiguousFormat<Format>) leaf |= entry & Format::kContiguousBit;
    } while (!replace_entry(slot, entry, leaf));
    bytes += span(height);
  }
  return bytes;
}

template <TableFormat Format, class Writers>
std::uint32_t RadixTable<Format, Writers>::coalesce(GpuRange range,
                                                    PageTableAllocator& allocator) noexcept {
  check_range(range);
  return coalesce_in(at(root_), top_, range, allocator);
}

template <TableFormat Format, class Writers>
std::uint32_t RadixTable<Format, Writers>::coalesce_in(const Table& table, std::uint32_t height,
                                                       GpuRange range,
                                                       PageTableAllocator& allocator) {
  std::uint32_t freed = 0;
  const GpuVa base = base_of(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  if (height > 0) {
    for (std::uint32_t i = Writers::next_present(table, index(range.first, height), end); i < end;
         i = Writers::next_present(table, i + 1, end)) {
      const std::uint64_t entry = load_entry(table.entries + i);
      if (Format::kind(entry, height) != EntryKind::kTable) continue;
      const GpuRange slot = slot_range(base, i, height);
      const Table below = child(entry, height);
      if (is_repeated(below)) continue;
      freed += coalesce_in(below, height - 1, intersection(slot, range), allocator);
      if (!allows_leaf(height) || !range.contains(slot) || is_wanted(below)) continue;
      const std::optional<std::uint64_t> block = as_one_block(below, height - 1);
      if (!block) continue;
      store_entry(table.entries + i, *block);
      retire(below, height - 1, allocator);
      ++freed;
    }
  }
  form_runs(table, height, range);
  return freed;
}

// The block that maps what `table` maps.
template <TableFormat Format, class Writers>
std::optional<std::uint64_t> RadixTable<Format, Writers>::as_one_block(const Table& table,
                                                                       std::uint32_t height) const {
  if (table.info->count() != kTableEntries) return std::nullopt;
  const std::uint64_t first = load_entry(table.entries);
  if (!is_leaf(first, height)) return std::nullopt;
  const PhysAddr frame = Format::address(first, height);
  if (!is_aligned(frame.value, span(height + 1)) ||
      !are_contiguous(table, 0, kTableEntries, height))
    return std::nullopt;
  std::uint64_t block = new_leaf(frame, Format::prot(first), height + 1);
  if constexpr (DirtyFormat<Format>) {
    if (tracks_dirty() && (!has(Format::prot(first), Prot::kReadOnly) ||
                           take_dirty(table.entries, kTableEntries, height, DirtyAction::kRead)))
      block = Format::mark_dirty(block);
  }
  return block;
}

// Whether these entries are leaves that map contiguous frames alike.
template <TableFormat Format, class Writers>
bool RadixTable<Format, Writers>::are_contiguous(const Table& table, std::uint32_t first,
                                                 std::uint32_t count, std::uint32_t height) const {
  const std::uint64_t head = load_entry(table.entries + first);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t entry = load_entry(table.entries + first + i);
    if (!is_leaf(entry, height) || Format::prot(entry) != Format::prot(head) ||
        Format::address(entry, height) != Format::address(head, height) + span(height) * i)
      return false;
  }
  return true;
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::form_runs(const Table& table, std::uint32_t height,
                                            GpuRange range) {
  if constexpr (ContiguousFormat<Format>) {
    constexpr std::uint32_t kRun = Format::kRunLeaves;
    if (config_.contiguous != ContiguousHint::kWherePossible || !allows_leaf(height)) return;
    const GpuVa base = base_of(range.first, height);
    for (std::uint32_t i = index(range.first, height) / kRun * kRun; i <= index(range.last, height);
         i += kRun) {
      const GpuRange run = GpuRange::of_size(base + span(height) * i, run_span(height));
      const std::uint64_t head = load_entry(table.entries + i);
      if (!range.contains(run) || !is_leaf(head, height) ||
          !is_aligned(Format::address(head, height).value, run_span(height)) ||
          !are_contiguous(table, i, kRun, height))
        continue;
      for (std::uint32_t leaf = i; leaf < i + kRun; ++leaf)
        set_bits(table.entries + leaf, Format::kContiguousBit);
    }
  }
}

// Whether one of these leaves was written through.
template <TableFormat Format, class Writers>
bool RadixTable<Format, Writers>::take_dirty(std::uint64_t* slots, std::uint32_t count,
                                             std::uint32_t height, DirtyAction action) {
  bool dirty = false;
  if constexpr (DirtyFormat<Format>) {
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint64_t entry = load_entry(slots + i);
      if (!is_leaf(entry, height) || !Format::is_dirty(entry)) continue;
      dirty = true;
      if (action == DirtyAction::kRead) continue;
      while (is_leaf(entry, height) && !replace_entry(slots + i, entry, Format::clean(entry))) {
      }
    }
  }
  return dirty;
}

}  // namespace pantry::driver
