// SPDX-License-Identifier: MIT
//
// The part of RadixTable's body that keeps tables which are empty, for whoever relies on their
// standing: references, and what frees the tables again. Included by radix_table_impl.h only.
#pragma once

#include "driver/iopgtable/radix_table.h"
#include "driver/iopgtable/store_run.h"

namespace pantry::driver {

template <TableFormat Format, class Writers>
auto RadixTable<Format, Writers>::table_of(TableWindow window) const -> std::optional<Table> {
  Table table = at(root_);
  for (std::uint32_t height = top_; height > window.height; --height) {
    const std::uint64_t entry = load_entry(table.entries + index(window.first(), height));
    if (Format::kind(entry, height) != EntryKind::kTable) return std::nullopt;
    table = child(entry, height);
    if (is_repeated(table)) return std::nullopt;
  }
  return table;
}

template <TableFormat Format, class Writers>
auto RadixTable<Format, Writers>::standing(TableWindow window) noexcept -> Standing
    requires(!Writers::kShared) {
  PANTRY_CHECK(alive_ && window.height < top_);
  const GpuVa va = window.first();
  if (window.height == 0) {
    if (turn_to_leaf(va)) return Standing::kTable;
    if (const std::optional<Table> above = table_of(TableWindow::around(va, 1))) {
      remember_above(*above, va);
      if (turn_to_leaf(va)) return Standing::kTable;
    }
  }
  if (table_of(window)) return Standing::kTable;
  return walk(va) ? Standing::kLeaf : Standing::kNothing;
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::reference(TableWindow window) noexcept
    requires(!Writers::kShared) {
  PANTRY_CHECK(alive_ && window.height < top_);
  const std::optional<Table> table = table_of(window);
  PANTRY_CHECK(table.has_value());
  table->info->add_reference();
  ++references_;
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::unreference(TableWindow window) noexcept
    requires(!Writers::kShared) {
  const std::optional<Table> table = table_of(window);
  PANTRY_CHECK(table.has_value());
  table->info->drop_reference();
  --references_;
}

template <TableFormat Format, class Writers>
Result<> RadixTable<Format, Writers>::install(TableWindow window,
                                              PageTableAllocator& allocator) noexcept
    requires(!Writers::kShared) {
  PANTRY_CHECK(alive_ && window.height < top_);
  const std::uint32_t height = window.height + 1;
  const std::optional<Table> above = table_of(TableWindow::around(window.first(), height));
  const std::uint32_t i = index(window.first(), height);
  PANTRY_CHECK(above.has_value() && !above->info->test(i));
  const Result<Table> table = new_table(window, allocator);
  if (!table) return Error(table.error());
  table->info->add_reference();
  ++references_;
  store_entry(above->entries + i, Format::table(table->address, height));
  Writers::commit(*above, i, i + 1);
  Writers::count(tables_at_[window.height], 1);
  return {};
}

// Whether `table` or one below it has references. Pre: nothing is mapped under it.
template <TableFormat Format, class Writers>
bool RadixTable<Format, Writers>::any_wanted(const Table& table, std::uint32_t height) const {
  if (!any_references()) return false;
  if (is_wanted(table)) return true;
  if (height == 0) return false;
  for (std::uint32_t i = Writers::next_present(table, 0, kTableEntries); i < kTableEntries;
       i = Writers::next_present(table, i + 1, kTableEntries))
    if (any_wanted(child(load_entry(table.entries + i), height), height - 1)) return true;
  return false;
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::prune(GpuRange range, PageTableAllocator& allocator) noexcept
    requires(!Writers::kShared) {
  check_range(range);
  prune_in(at(root_), top_, range, allocator);
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::prune_in(const Table& table, std::uint32_t height, GpuRange range,
                                           PageTableAllocator& allocator) {
  if (height == 0) return;
  const GpuVa base = base_of(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  for (std::uint32_t i = Writers::next_present(table, index(range.first, height), end); i < end;
       i = Writers::next_present(table, i + 1, end)) {
    const std::uint64_t entry = load_entry(table.entries + i);
    if (is_leaf(entry, height)) continue;
    const Table below = child(entry, height);
    if (is_repeated(below)) continue;
    prune_in(below, height - 1, intersection(slot_range(base, i, height), range), allocator);
    if (below.info->count() == 0 && !is_wanted(below)) unlink(table, i, height, allocator);
  }
}

}  // namespace pantry::driver
