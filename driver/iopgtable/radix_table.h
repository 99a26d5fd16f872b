// SPDX-License-Identifier: MIT
//
// A page table: one radix algorithm, with the format (which bits mean what) as compile-time policy.
// It maps page-aligned ranges to frames, removes them again, splits blocks at the edges of what it
// removes, and gives back every table that becomes empty.
//
// Heights count from the leaves: an entry at height 0 covers 4 KiB, at 1 2 MiB, at 2 1 GiB, at 3
// 512 GiB, and so on.
//
// Invariant: no table but the root is empty; the TableInfo of a table says exactly which of its
// entries are present. The device walks the table at the same time: an entry is one 8-byte store,
// and a new table is filled before the store (release) that publishes it. Making the device forget
// what it cached is the caller's business (RegionLock around the call). The caller serialises all
// calls. Nothing here allocates except through the PageTableAllocator of the call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/types.h"
#include "driver/iopgtable/extent_cursor.h"
#include "driver/iopgtable/page_table_allocator.h"
#include "driver/iopgtable/prot.h"
#include "driver/iopgtable/table_format.h"
#include "driver/iopgtable/table_metadata.h"

namespace pantry::driver {

// How far a map came.
struct MapProgress {
  std::uint64_t mapped =
      0;  // bytes, from the start of the range: what the caller unmaps again if it gives up
  std::optional<Errno> error;  // none: all of it
};

// A mapped leaf.
struct Leaf {
  GpuRange range;
  PhysAddr frame;  // of range.first
  Prot prot = Prot::kNone;
  constexpr bool operator==(const Leaf&) const = default;
};

template <TableFormat Format>
class RadixTable {
 public:
  // EINVAL: a configuration that the format or this algorithm does not know; ENOMEM. `metadata`
  // outlives the table.
  static Result<RadixTable> create(const TableConfig& config, TableMetadata& metadata,
                                   PageTableAllocator& allocator);
  RadixTable(RadixTable&& other) noexcept;
  RadixTable& operator=(RadixTable&&) = delete;
  // destroy() was called (CHECK).
  ~RadixTable();

  // Frees every table, the root included. The device no longer uses the root.
  void destroy(PageTableAllocator& allocator) noexcept;

  // What TRANSTAB gets.
  PhysAddr root() const { return root_; }
  const TableConfig& config() const { return config_; }
  // Every address that this table can map.
  GpuRange space() const { return {{0}, {~std::uint64_t{0} >> (64 - config_.va_bits)}}; }

  // Maps `range` to what `frames` has next. A 2 MiB (1 GiB) leaf is used where address and frame
  // are aligned to it and as much is left of both. EEXIST: something is mapped there; nothing was
  // changed. ENOMEM: the allocator had no page; the part said in MapProgress is mapped, and needs
  // no page to be unmapped again.
  MapProgress map(GpuRange range, ExtentCursor frames, Prot prot,
                  PageTableAllocator& allocator) noexcept;

  // Unmaps whatever is mapped in `range`; returns how many bytes were. Blocks that stick out of it
  // are split, which takes one page per edge and block size. The kept part is never invalid in
  // between. ENOMEM: no page for a split; nothing was unmapped, and what translations there were
  // still hold.
  Result<std::uint64_t> unmap(GpuRange range, PageTableAllocator& allocator) noexcept;

  // `range` widened to all of any leaf that unmap(range) would split: what a RegionLock must cover.
  GpuRange footprint(GpuRange range) const noexcept;

  // The leaf at `va`.
  std::optional<Leaf> walk(GpuVa va) const noexcept;
  // visit(const Leaf&) for each leaf that touches `range`, in order.
  template <class Visit>
  void for_each_leaf(GpuRange range, Visit visit) const {
    leaves_in(at(root_), top_, range, visit);
  }
  // Tables in use by depth; 0 is the root's.
  std::array<std::uint32_t, kMaxTableLevels> tables_by_level() const noexcept;

 private:
  struct Table {
    PhysAddr address;
    std::uint64_t* entries;
    TableInfo* info;
  };
  struct MapJob;

  RadixTable(const TableConfig& config, TableMetadata& metadata, PhysAddr root);
  static constexpr std::uint32_t shift(std::uint32_t height) { return kPageShift + 9 * height; }
  static constexpr std::uint64_t span(std::uint32_t height) {
    return std::uint64_t{1} << shift(height);
  }
  // index(0x40201000, 0) == 1, index(0x40201000, 1) == 1, index(0x40201000, 2) == 1
  static constexpr std::uint32_t index(GpuVa va, std::uint32_t height) {
    return static_cast<std::uint32_t>(va.value >> shift(height)) % kTableEntries;
  }
  // The first address under the table whose entries at `height` lead to `va`. The tables of the
  // top of a 64-bit space cover more than there is.
  static constexpr GpuVa base_of(GpuVa va, std::uint32_t height) {
    return {shift(height + 1) >= 64 ? 0 : align_down(va.value, span(height + 1))};
  }
  // Of two ranges that intersect.
  static constexpr GpuRange intersection(GpuRange a, GpuRange b) {
    return {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
  }
  bool allows_leaf(std::uint32_t height) const { return config_.page_sizes & span(height); }
  Table at(PhysAddr table) const;
  Table child(const Table& table, std::uint32_t index, std::uint32_t height) const;
  Result<Table> new_table(PageTableAllocator& allocator);
  void check_range(GpuRange range) const;
  bool is_free(const Table& table, std::uint32_t height, GpuRange range) const;
  bool map_into(const Table& table, std::uint32_t height, MapJob& job);
  Result<> split_at(GpuVa boundary, PageTableAllocator& allocator);
  std::uint64_t unmap_from(const Table& table, std::uint32_t height, GpuRange range,
                           PageTableAllocator& allocator);
  std::uint64_t free_tree(const Table& table, std::uint32_t height, PageTableAllocator& allocator);
  template <class Visit>
  void leaves_in(const Table& table, std::uint32_t height, GpuRange range, Visit& visit) const;

  TableConfig config_;
  TableMetadata* metadata_;
  PhysAddr root_;
  bool alive_ = true;
  std::uint32_t top_;                                       // height of the root's entries
  std::array<std::uint32_t, kMaxTableLevels> tables_at_{};  // by height of their entries
};

template <TableFormat Format>
template <class Visit>
void RadixTable<Format>::leaves_in(const Table& table, std::uint32_t height, GpuRange range,
                                   Visit& visit) const {
  const GpuVa base = base_of(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  for (std::uint32_t i = table.info->next_present(index(range.first, height), end); i < end;
       i = table.info->next_present(i + 1, end)) {
    const GpuRange slot = GpuRange::of_size(base + span(height) * i, span(height));
    const std::uint64_t entry = table.entries[i];
    if (height == 0 || Format::kind(entry, height) == EntryKind::kLeaf)
      visit(Leaf{slot, Format::address(entry, height), Format::prot(entry)});
    else
      leaves_in(child(table, i, height), height - 1, intersection(slot, range), visit);
  }
}

}  // namespace pantry::driver
