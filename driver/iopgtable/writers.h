// SPDX-License-Identifier: MIT
//
// Who may edit a RadixTable at the same time, as a compile-time policy. It says how the table keeps
// count of what is in each of its tables, and so who may free one that has become empty.
//
// OneWriter: the caller serialises all edits. Which entries are present is in TableInfo's bits.
// Only here may a table be empty and stay, since it is wanted again (RadixTable::clear, reference).
//
// ManyWriters: edits of disjoint ranges may run at the same time. Two of them meet only in tables
// that both ranges reach into, and share there three things: the count, which goes up before
// entries are stored and down after they are cleared; the slot of a table that both need, which is
// filled by compare-and-swap; and the end of a table, which is whoever brings the count to zero:
// that makes the table dead, nobody can add to a dead one, and its slot is cleared next. Who finds
// a dead table waits for that and starts again from the slot. Entries take the place of the bits:
// all of a slot that lies in one's own range is one's own.
#pragma once

#include <cstdint>
#include <thread>

#include "base/types.h"
#include "driver/iopgtable/store_run.h"
#include "driver/iopgtable/table_metadata.h"

namespace pantry::driver {

// A table page: where it is for the device, and for us.
struct TableView {
  PhysAddr address;
  std::uint64_t* entries;
  TableInfo* info;
};

struct ClearedRun {
  std::uint32_t present;  // entries that were there
  bool emptied;           // the table is empty now and the caller's to unlink
};

struct OneWriter {
  static constexpr bool kShared = false;

  static void keep_root(const TableView&) {}
  // The first present entry in [first, end), or `end`.
  static std::uint32_t next_present(const TableView& table, std::uint32_t first,
                                    std::uint32_t end) {
    return table.info->next_present(first, end);
  }
  // Before entries are stored; false: the table is dead.
  static bool reserve(const TableView&, std::uint32_t) { return true; }
  // After [first, end) were stored.
  static void commit(const TableView& table, std::uint32_t first, std::uint32_t end) {
    table.info->set(first, end);
  }
  // Clears leaves of height 0.
  static ClearedRun clear_run(const TableView& table, std::uint32_t first, std::uint32_t end) {
    store_run(table.entries + first, end - first, 0, 0);
    const std::uint32_t present = table.info->clear(first, end);
    return {present, table.info->count() == 0};
  }
  // Clears one entry; release() counts it.
  static void drop(const TableView& table, std::uint32_t index) {
    store_entry(table.entries + index, 0);
    table.info->clear(index);
  }
  // Clears [first, end); returns how many of them release() has to count.
  static std::uint32_t drop(const TableView& table, std::uint32_t first, std::uint32_t end) {
    store_run(table.entries + first, end - first, 0, 0);
    return table.info->clear(first, end);
  }
  // `entries` of them are gone. True: the table is empty now and the caller's to unlink.
  static bool release(const TableView& table, std::uint32_t) { return table.info->count() == 0; }
  static void count(std::uint32_t& tables, std::int32_t more) {
    const std::atomic_ref<std::uint32_t> shown(tables);
    shown.store(tables + static_cast<std::uint32_t>(more), std::memory_order_relaxed);
  }
};

struct ManyWriters {
  static constexpr bool kShared = true;

  // A count that never reaches zero.
  static void keep_root(const TableView& table) { table.info->try_add(1); }
  static std::uint32_t next_present(const TableView& table, std::uint32_t first,
                                    std::uint32_t end) {
    while (first < end && load_entry(table.entries + first) == 0) ++first;
    return first;
  }
  static bool reserve(const TableView& table, std::uint32_t entries) {
    return table.info->try_add(entries);
  }
  static void commit(const TableView&, std::uint32_t, std::uint32_t) {}
  static ClearedRun clear_run(const TableView& table, std::uint32_t first, std::uint32_t end) {
    const std::uint32_t present = drop(table, first, end);
    return {present, release(table, present)};
  }
  static std::uint32_t drop(const TableView& table, std::uint32_t first, std::uint32_t end) {
    std::uint32_t present = 0;
    for (std::uint32_t i = first; i < end; ++i) present += load_entry(table.entries + i) != 0;
    store_run(table.entries + first, end - first, 0, 0);
    return present;
  }
  static void drop(const TableView& table, std::uint32_t index) {
    store_entry(table.entries + index, 0);
  }
  static bool release(const TableView& table, std::uint32_t entries) {
    return entries != 0 && table.info->subtract(entries);
  }
  static void count(std::uint32_t& tables, std::int32_t more) {
    std::atomic_ref<std::uint32_t>(tables).fetch_add(static_cast<std::uint32_t>(more),
                                                     std::memory_order_relaxed);
  }
  // Returns once the slot holds something else than `entry`, which led to a dead table: after a few
  // instructions of the writer that unlinks it.
  static void wait_for_change(const std::uint64_t* slot, std::uint64_t entry) {
    while (load_entry(slot) == entry) std::this_thread::yield();
  }
};

}  // namespace pantry::driver
