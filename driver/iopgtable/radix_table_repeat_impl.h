// SPDX-License-Identifier: MIT
//
// The part of RadixTable's body that deals with repeated tables: those that stand in many windows
// at once, all full and never changed. Whoever edits part of such a window gives it a table of its
// own first. Included by radix_table_impl.h only.
#pragma once

#include "driver/iopgtable/radix_table.h"
#include "driver/iopgtable/store_run.h"

namespace pantry::driver {

template <TableFormat Format, class Writers>
struct RadixTable<Format, Writers>::RepeatJob {
  RepeatedFrames frames;
  Prot prot;
  PageTableAllocator& allocator;
  std::uint64_t mapped = 0;                              // bytes
  std::array<std::uint64_t, kMaxTableLevels> slot = {};  // by height: the entry of a whole slot
};

template <TableFormat Format, class Writers>
MapProgress RadixTable<Format, Writers>::map_repeated(GpuRange range, const RepeatedFrames& frames,
                                                      Prot prot,
                                                      PageTableAllocator& allocator) noexcept
    requires(!Writers::kShared) {
  check_range(range);
  PANTRY_CHECK(!tracks_dirty());  // of a leaf that many addresses lead to, nobody could tell
  if (!is_free(at(root_), top_, range)) return {0, Errno::kExist};
  RepeatJob job{frames, prot, allocator};
  const RepeatedTables tables = repeated_tables(range, frames, config_);
  if (frames.is_block(config_)) job.slot[1] = new_leaf(frames.at({0}).address(), prot, 1);
  std::optional<Errno> error;
  std::uint32_t made = tables.lowest;
  for (; made < tables.end; ++made) {
    const Result<Table> table = new_repeated_table(made, job);
    if (!table) {
      error = table.error();
      break;
    }
    job.slot[made + 1] = Format::table(table->address, made + 1);
  }
  if (!error && !repeat_into(at(root_), top_, range, job)) error = Errno::kNoMem;
  if (made > tables.lowest) {
    // One that found no place goes, and with it what only it leads to.
    const Table highest = child(job.slot[made], made);
    if (highest.info->parents() == 0) end_repeated(highest, made - 1, allocator);
  }
  return {job.mapped, error};
}

// A full table of what job.slot says for `height`. Nothing leads to it yet.
template <TableFormat Format, class Writers>
auto RadixTable<Format, Writers>::new_repeated_table(std::uint32_t height, RepeatJob& job)
    -> Result<Table> {
  const Result<PhysAddr> page = job.allocator.alloc(kPageSize);
  if (!page) return Error(page.error());
  const Table table = at(*page);
  table.info->reset_repeated();
  if (height == 0) {
    std::uint32_t i = 0;
    for (ExtentCursor frames = job.frames.at({0}); i < kTableEntries;) {
      const auto pages = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(frames.contiguous() / kPageSize, kTableEntries - i));
      PANTRY_CHECK(pages != 0);
      write_leaves(table, 0, i, i + pages, frames.address(), job.prot);
      i += pages;
      if (i < kTableEntries) frames.advance(kPageSize * pages);
    }
  } else {
    store_run(table.entries, kTableEntries, job.slot[height], 0);
    if (!is_leaf(job.slot[height], height))
      child(job.slot[height], height).info->add_parents(kTableEntries);
  }
  Writers::commit(table, 0, kTableEntries);
  Writers::count(tables_at_[height], 1);
  Writers::count(repeated_, 1);
  return table;
}

// Fills `range`, which lies under `table` and is free. False: no page for a table at an edge.
template <TableFormat Format, class Writers>
bool RadixTable<Format, Writers>::repeat_into(const Table& table, std::uint32_t height,
                                              GpuRange range, RepeatJob& job) {
  if (height == 0) {
    MapJob pages{range,       job.frames.at(range.first), job.prot, job.allocator, range.first,
                 range.size()};
    map_pages(table, pages);
    job.mapped += range.size();
    return true;
  }
  const GpuVa base = base_of(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  for (std::uint32_t i = index(range.first, height); i < end;) {
    const GpuRange slot = slot_range(base, i, height);
    if (range.contains(slot)) {
      // As ordinary maps do: an empty table makes way, unless somebody relies on it.
      if (table.info->test(i)) {
        const Table below = child(load_entry(table.entries + i), height);
        if (any_wanted(below, height - 1)) {
          if (!repeat_into(below, height - 1, slot, job)) return false;
          ++i;
          continue;
        }
        unlink(table, i, height, job.allocator);
      }
      std::uint32_t stop = i + 1;
      while (stop < end && !table.info->test(stop) &&
             range.contains(slot_range(base, stop, height)))
        ++stop;
      store_run(table.entries + i, stop - i, job.slot[height], 0);
      Writers::commit(table, i, stop);
      if (!is_leaf(job.slot[height], height))
        child(job.slot[height], height).info->add_parents(stop - i);
      job.mapped += span(height) * (stop - i);
      i = stop;
      continue;
    }
    const GpuRange part = intersection(slot, range);
    if (table.info->test(i)) {
      if (!repeat_into(child(load_entry(table.entries + i), height), height - 1, part, job))
        return false;
    } else {
      const Result<Table> below =
          new_table(TableWindow::around(part.first, height - 1), job.allocator);
      if (!below) return false;
      const bool done = repeat_into(*below, height - 1, part, job);
      if (below->info->count() == 0) {
        job.allocator.free(below->address, kPageSize);
        return false;
      }
      // Filled as far as it will be: now the device may find it.
      store_entry(table.entries + i, Format::table(below->address, height));
      Writers::commit(table, i, i + 1);
      Writers::count(tables_at_[height - 1], 1);
      if (!done) return false;
    }
    ++i;
  }
  return true;
}

// The repeated table in `slot`, in whose window `va` lies, becomes one that only this slot leads
// to, with the same content. One store swaps them, so what is kept never faults.
template <TableFormat Format, class Writers>
Result<> RadixTable<Format, Writers>::own_table(std::uint64_t* slot, GpuVa va, std::uint32_t height,
                                                PageTableAllocator& allocator) {
  const Table old = child(load_entry(slot), height);
  const Result<Table> own = new_table(TableWindow::around(va, height - 1), allocator);
  if (!own) return Error(own.error());
  for (std::uint32_t i = 0; i < kTableEntries; ++i)
    store_entry(own->entries + i, load_entry(old.entries + i));
  Writers::commit(*own, 0, kTableEntries);
  if (const std::uint64_t first = load_entry(old.entries);
      height > 1 && !is_leaf(first, height - 1))
    child(first, height - 1).info->add_parents(kTableEntries);
  store_entry(slot, Format::table(own->address, height));
  Writers::count(tables_at_[height - 1], 1);
  leave_repeated(old, height - 1, allocator);
  return {};
}

// One entry fewer leads to the repeated `table`, whose entries are of `height`. Returns the bytes
// that it maps.
template <TableFormat Format, class Writers>
std::uint64_t RadixTable<Format, Writers>::leave_repeated(const Table& table, std::uint32_t height,
                                                          PageTableAllocator& allocator) {
  if (table.info->drop_parents(1) == 0) end_repeated(table, height, allocator);
  return span(height) * kTableEntries;
}

// Nothing leads to it any more. Its entries stay as they are until the flush.
template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::end_repeated(const Table& table, std::uint32_t height,
                                               PageTableAllocator& allocator) {
  const std::uint64_t first = load_entry(table.entries);
  if (height > 0 && !is_leaf(first, height)) {
    const Table below = child(first, height);
    if (below.info->drop_parents(kTableEntries) == 0) end_repeated(below, height - 1, allocator);
  }
  Writers::count(repeated_, -1);
  retire(table, height, allocator);
}

// The window of the repeated table that holds `va`; none: only its own tables lead there.
template <TableFormat Format, class Writers>
std::optional<GpuRange> RadixTable<Format, Writers>::repeated_window(GpuVa va) const {
  Table table = at(root_);
  for (std::uint32_t height = top_; height > 0; --height) {
    const std::uint64_t entry = load_entry(table.entries + index(va, height));
    if (Format::kind(entry, height) != EntryKind::kTable) return std::nullopt;
    table = child(entry, height);
    if (is_repeated(table))
      return GpuRange::of_size({align_down(va.value, span(height))}, span(height));
  }
  return std::nullopt;
}

}  // namespace pantry::driver
