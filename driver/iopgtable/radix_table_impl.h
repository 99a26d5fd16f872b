// SPDX-License-Identifier: MIT
//
// The body of RadixTable, for the one .cc file per format that instantiates it. See radix_table.h
// for what holds.
//
// All walks go down from the root with a table and the height of its entries; a range is cut to the
// part that lies under the table as the walk descends. Recursion is at most six deep.
#pragma once

#include <algorithm>

#include "base/check.h"
#include "driver/iopgtable/radix_table.h"
#include "driver/iopgtable/store_run.h"

namespace pantry::driver {

// What is left to map: advances as leaves are written.
template <TableFormat Format>
struct RadixTable<Format>::MapJob {
  ExtentCursor frames;
  Prot prot;
  PageTableAllocator& allocator;
  GpuVa next;
  std::uint64_t left;  // bytes
};

template <TableFormat Format>
Result<RadixTable<Format>> RadixTable<Format>::create(const TableConfig& config,
                                                      TableMetadata& metadata,
                                                      PageTableAllocator& allocator) {
  // A 1 GiB block is split into 2 MiB blocks, so those must be allowed then.
  const std::uint64_t sizes = config.page_sizes;
  const bool sizes_known = sizes == kPageSize || sizes == (kPageSize | 2 * kMiB) ||
                           sizes == (kPageSize | 2 * kMiB | kGiB);
  if (!Format::supports(config) || !sizes_known || config.levels() < 2 ||
      config.levels() > kMaxTableLevels)
    return Error(Errno::kInval);
  const Result<PhysAddr> root = allocator.alloc(kPageSize);
  if (!root) return Error(root.error());
  return RadixTable(config, metadata, *root);
}

template <TableFormat Format>
RadixTable<Format>::RadixTable(const TableConfig& config, TableMetadata& metadata, PhysAddr root)
    : config_(config), metadata_(&metadata), root_(root), top_(config.levels() - 1) {
  metadata_->info(root).reset();
  tables_at_[top_] = 1;
}

template <TableFormat Format>
RadixTable<Format>::RadixTable(RadixTable&& other) noexcept
    : config_(other.config_),
      metadata_(other.metadata_),
      root_(other.root_),
      alive_(other.alive_),
      top_(other.top_),
      tables_at_(other.tables_at_) {
  other.alive_ = false;
}

template <TableFormat Format>
RadixTable<Format>::~RadixTable() {
  PANTRY_CHECK(!alive_);
}

template <TableFormat Format>
void RadixTable<Format>::destroy(PageTableAllocator& allocator) noexcept {
  PANTRY_CHECK(alive_);
  free_tree(at(root_), top_, allocator);
  alive_ = false;
}

template <TableFormat Format>
auto RadixTable<Format>::at(PhysAddr table) const -> Table {
  TableInfo& info = metadata_->info(table);  // checks that the page is in DRAM
  return {table, static_cast<std::uint64_t*>(metadata_->dram().at(table, kPageSize)), &info};
}

template <TableFormat Format>
auto RadixTable<Format>::child(const Table& table, std::uint32_t index, std::uint32_t height) const
    -> Table {
  return at(Format::address(table.entries[index], height));
}

template <TableFormat Format>
auto RadixTable<Format>::new_table(PageTableAllocator& allocator) -> Result<Table> {
  const Result<PhysAddr> page = allocator.alloc(kPageSize);
  if (!page) return Error(page.error());
  PANTRY_CHECK(is_aligned(page->value, kPageSize));
  const Table table = at(*page);
  table.info->reset();
  return table;
}

template <TableFormat Format>
void RadixTable<Format>::check_range(GpuRange range) const {
  PANTRY_CHECK(alive_);
  PANTRY_CHECK(range.first <= range.last && space().contains(range));
  PANTRY_CHECK(is_aligned(range.first.value, kPageSize) &&
               is_aligned(range.last.value + 1, kPageSize));
}

template <TableFormat Format>
bool RadixTable<Format>::is_free(const Table& table, std::uint32_t height, GpuRange range) const {
  const std::uint32_t end = index(range.last, height) + 1;
  for (std::uint32_t i = table.info->next_present(index(range.first, height), end); i < end;
       i = table.info->next_present(i + 1, end)) {
    if (height == 0 || Format::kind(table.entries[i], height) == EntryKind::kLeaf) return false;
    const GpuVa base = base_of(range.first, height);
    const GpuRange slot = GpuRange::of_size(base + span(height) * i, span(height));
    if (!is_free(child(table, i, height), height - 1, intersection(slot, range))) return false;
  }
  return true;
}

template <TableFormat Format>
MapProgress RadixTable<Format>::map(GpuRange range, ExtentCursor frames, Prot prot,
                                    PageTableAllocator& allocator) noexcept {
  check_range(range);
  PANTRY_CHECK(range.size() != 0);  // nobody has the frames for all of 64 bits
  if (!is_free(at(root_), top_, range)) return {0, Errno::kExist};
  MapJob job{frames, prot, allocator, range.first, range.size()};
  const bool complete = map_into(at(root_), top_, job);
  return {range.size() - job.left, complete ? std::nullopt : std::optional(Errno::kNoMem)};
}

// Maps as much of the job as lies under `table`. False: a page was missing.
template <TableFormat Format>
bool RadixTable<Format>::map_into(const Table& table, std::uint32_t height, MapJob& job) {
  do {
    const std::uint32_t i = index(job.next, height);
    const PhysAddr frame = job.frames.address();
    // How many leaves of this height could follow one another from here.
    std::uint64_t leaves = 0;
    if (allows_leaf(height) && is_aligned(job.next.value | frame.value, span(height)))
      leaves = std::min(job.left, job.frames.contiguous()) / span(height);
    const std::uint32_t end =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(i + leaves, kTableEntries));
    const std::uint32_t stop = table.info->next_present(i, end);

    if (stop > i) {
      PANTRY_CHECK(frame.value + span(height) * (stop - i) <= std::uint64_t{1} << config_.pa_bits);
      store_run(table.entries + i, stop - i, Format::leaf(frame, job.prot, height),
                Format::leaf_step(height));
      table.info->set(i, stop);
      const std::uint64_t bytes = span(height) * (stop - i);
      job.frames.advance(bytes);
      job.next = job.next + bytes;
      job.left -= bytes;
    } else if (table.info->test(i)) {
      if (!map_into(child(table, i, height), height - 1, job)) return false;
    } else {
      PANTRY_CHECK(height > 0);  // else the frames are not whole pages
      const Result<Table> below = new_table(job.allocator);
      if (!below) return false;
      const bool complete = map_into(*below, height - 1, job);
      if (below->info->count() == 0) {
        job.allocator.free(below->address, kPageSize);
        return false;
      }
      // Filled as far as it will be: now the device may find it.
      store_entry(table.entries + i, Format::table(below->address, height));
      table.info->set(i, i + 1);
      ++tables_at_[height - 1];
      if (!complete) return false;
    }
  } while (job.left != 0 && index(job.next, height) != 0);
  return true;
}

template <TableFormat Format>
Result<std::uint64_t> RadixTable<Format>::unmap(GpuRange range,
                                                PageTableAllocator& allocator) noexcept {
  check_range(range);
  // Both edges first: after that nothing can fail.
  PANTRY_TRY(split_at(range.first, allocator));
  if (range.last != space().last) PANTRY_TRY(split_at(range.last + 1, allocator));
  return unmap_from(at(root_), top_, range, allocator);
}

// Makes `boundary` the edge of a leaf, if it is inside one: the block becomes a table of smaller
// ones that map the same.
template <TableFormat Format>
Result<> RadixTable<Format>::split_at(GpuVa boundary, PageTableAllocator& allocator) {
  Table table = at(root_);
  for (std::uint32_t height = top_; height > 0; --height) {
    if (is_aligned(boundary.value, span(height))) return {};
    const std::uint32_t i = index(boundary, height);
    if (!table.info->test(i)) return {};
    const std::uint64_t entry = table.entries[i];
    if (Format::kind(entry, height) == EntryKind::kLeaf) {
      const Result<Table> below = new_table(allocator);
      if (!below) return Error(below.error());
      store_run(below->entries, kTableEntries,
                Format::leaf(Format::address(entry, height), Format::prot(entry), height - 1),
                Format::leaf_step(height - 1));
      below->info->set(0, kTableEntries);
      // One store swaps block for table; both say the same, so the kept part never faults.
      store_entry(table.entries + i, Format::table(below->address, height));
      ++tables_at_[height - 1];
    }
    table = child(table, i, height);
  }
  return {};
}

// Pre: no leaf sticks out of `range`. Returns the bytes that were mapped.
template <TableFormat Format>
std::uint64_t RadixTable<Format>::unmap_from(const Table& table, std::uint32_t height,
                                             GpuRange range, PageTableAllocator& allocator) {
  const std::uint32_t first = index(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  if (height == 0) {
    store_run(table.entries + first, end - first, 0, 0);
    return std::uint64_t{table.info->clear(first, end)} * kPageSize;
  }
  std::uint64_t bytes = 0;
  const GpuVa base = base_of(range.first, height);
  for (std::uint32_t i = table.info->next_present(first, end); i < end;
       i = table.info->next_present(i + 1, end)) {
    const GpuRange slot = GpuRange::of_size(base + span(height) * i, span(height));
    if (Format::kind(table.entries[i], height) == EntryKind::kLeaf) {
      store_entry(table.entries + i, 0);
      table.info->clear(i, i + 1);
      bytes += span(height);
      continue;
    }
    const Table below = child(table, i, height);
    const bool all = range.contains(slot);
    if (!all) {
      bytes += unmap_from(below, height - 1, intersection(slot, range), allocator);
      if (below.info->count() != 0) continue;
    }
    // The way to the table goes first, then the table.
    store_entry(table.entries + i, 0);
    table.info->clear(i, i + 1);
    bytes += free_tree(below, height - 1, allocator);
  }
  return bytes;
}

// Frees `table`, which nothing points to any more, and all below it. Its entries stay as they are:
// until the flush, the device may still use them. Returns the bytes that were mapped in it.
template <TableFormat Format>
std::uint64_t RadixTable<Format>::free_tree(const Table& table, std::uint32_t height,
                                            PageTableAllocator& allocator) {
  std::uint64_t bytes = 0;
  if (height == 0) {
    bytes = std::uint64_t{table.info->count()} * kPageSize;
  } else {
    for (std::uint32_t i = table.info->next_present(0, kTableEntries); i < kTableEntries;
         i = table.info->next_present(i + 1, kTableEntries)) {
      if (Format::kind(table.entries[i], height) == EntryKind::kLeaf)
        bytes += span(height);
      else
        bytes += free_tree(child(table, i, height), height - 1, allocator);
    }
  }
  --tables_at_[height];
  allocator.free(table.address, kPageSize);
  return bytes;
}

template <TableFormat Format>
std::optional<Leaf> RadixTable<Format>::walk(GpuVa va) const noexcept {
  PANTRY_CHECK(alive_);
  if (!space().contains(va)) return std::nullopt;
  Table table = at(root_);
  for (std::uint32_t height = top_;; --height) {
    const std::uint32_t i = index(va, height);
    if (!table.info->test(i)) return std::nullopt;
    const std::uint64_t entry = table.entries[i];
    if (height == 0 || Format::kind(entry, height) == EntryKind::kLeaf)
      return Leaf{GpuRange::of_size({align_down(va.value, span(height))}, span(height)),
                  Format::address(entry, height), Format::prot(entry)};
    table = child(table, i, height);
  }
}

template <TableFormat Format>
GpuRange RadixTable<Format>::footprint(GpuRange range) const noexcept {
  check_range(range);
  if (const auto leaf = walk(range.first)) range.first = std::min(range.first, leaf->range.first);
  if (const auto leaf = walk(range.last)) range.last = std::max(range.last, leaf->range.last);
  return range;
}

template <TableFormat Format>
std::array<std::uint32_t, kMaxTableLevels> RadixTable<Format>::tables_by_level() const noexcept {
  std::array<std::uint32_t, kMaxTableLevels> levels{};
  for (std::uint32_t level = 0; level <= top_; ++level) levels[level] = tables_at_[top_ - level];
  return levels;
}

}  // namespace pantry::driver
