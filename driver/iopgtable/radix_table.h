// SPDX-License-Identifier: MIT
//
// A page table: one radix algorithm, with the format (which bits mean what) as compile-time policy.
// It maps page-aligned ranges to frames, changes what they allow, removes them again, splits blocks
// at the edges of what it edits, re-forms them on request, and gives back every table that becomes
// empty.
//
// Heights count from the leaves: an entry at height 0 covers 4 KiB, at 1 2 MiB, at 2 1 GiB, at 3
// 512 GiB, and so on.
//
// A table may stand in many windows at once (map_repeated): it is full, is never changed, and goes
// with the last entry that leads to it; an edit that cuts such a window gives it a table of its own
// first. Only with one writer.
//
// Invariant: no table but the root is empty, unless it has references (reference()) or a clear() is
// under way; the TableInfo of a table says how many of its entries are present. The device walks
// the table at the same time: an entry is one 8-byte store, and a new table is filled before the
// store (release) that publishes it, or is published empty. Making the device forget what it cached
// is the caller's business (RegionLock around the call); where the architecture wants that between,
// say, a block and the table that takes its place, so is keeping the device out of the range.
// Nothing here allocates except through the PageTableAllocator of the call.
//
// Threads. With `Writers` = OneWriter the caller serialises all edits: map, unmap, protect,
// coalesce, clearing dirty state. With ManyWriters edits of disjoint ranges may run at the same
// time, also where they share tables or split the same block; they wait for one another only while
// one unlinks a table that it has emptied and the other needs. In both cases the readers (walk,
// iova_to_phys, footprint, for_each_leaf, reading dirty state, tables_by_level) may run at any time
// on any number of threads and take no lock: what is mapped throughout the call is found, what is
// not mapped at any moment of it is not found, and each leaf is whole. For that, the pages of
// freed tables must not be used again while a reader, or a second writer, may still be in them:
// let the allocator be an EpochAllocator, and make each call that may overlap with an edit inside
// an EpochSection (epochs.h). A caller that serialises reads and edits needs neither. Creation,
// destruction and moves are for one thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/types.h"
#include "driver/iopgtable/extent_cursor.h"
#include "driver/iopgtable/page_table_allocator.h"
#include "driver/iopgtable/prot.h"
#include "driver/iopgtable/repeated_frames.h"
#include "driver/iopgtable/table_format.h"
#include "driver/iopgtable/table_metadata.h"
#include "driver/iopgtable/table_window.h"
#include "driver/iopgtable/writers.h"

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

enum class DirtyAction { kRead, kReadAndClear };

template <TableFormat Format, class Writers = OneWriter>
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

  // Maps `range` to what `frames` has next, a list of extents of whole pages. A 2 MiB (1 GiB) leaf
  // is used where address and frame are aligned to it, as much is left of both, and no table with
  // references stands there; an empty one without is freed. Leaves that form an aligned run in the
  // same way carry the contiguous hint if the configuration asks for it. EEXIST: something is
  // mapped there; nothing was changed. ENOMEM: the allocator had no page; the part said in
  // MapProgress is mapped, and needs no page to be unmapped again.
  MapProgress map(GpuRange range, const ExtentCursor& frames, Prot prot,
                  PageTableAllocator& allocator) noexcept;

  // Maps `range` so that each `va` in it leads to frames.at(va). Takes a page for each of
  // repeated_tables(), from the lowest height up, also if tables with
  // references leave no place for it, and one for each window that an edge of the range lies in and
  // no table stands in. Errors as map();
  // on ENOMEM some of the range is mapped, MapProgress::mapped bytes from its start. Pre: no dirty
  // tracking.
  MapProgress map_repeated(GpuRange range, const RepeatedFrames& frames, Prot prot,
                           PageTableAllocator& allocator) noexcept requires(!Writers::kShared);

  // Unmaps whatever is mapped in `range`; returns how many bytes were. Blocks that stick out of it
  // are split, which takes one page per edge and block size; of runs that do, all leaves lose the
  // hint. Repeated tables whose windows do are replaced by ones of their own, a page per edge and
  // height. The kept part is never invalid in between. ENOMEM: no page for a split; nothing was
  // unmapped, and what translations there were still hold.
  Result<std::uint64_t> unmap(GpuRange range, PageTableAllocator& allocator) noexcept;

  // Unmaps as unmap() does, but leaves the tables that become empty where they are, for a map of
  // all of `range` that follows under the same flush. So that map takes a page only where no table
  // stands now.
  Result<std::uint64_t> clear(GpuRange range, PageTableAllocator& allocator) noexcept
      requires(!Writers::kShared);

  // What stands in a window: a table of its own, a leaf or repeated table that covers all of it (or
  // more), or neither. Counts as an edit: one of pages in that window, if it comes next, starts at
  // the table that was found, instead of searching for it again.
  enum class Standing { kNothing, kLeaf, kTable };
  Standing standing(TableWindow window) noexcept requires(!Writers::kShared);
  // A table with references is kept when it becomes empty, and by map() and coalesce(). Pre: a
  // table stands there.
  void reference(TableWindow window) noexcept requires(!Writers::kShared);
  // Leaves the table where it is, even if it is empty: the next unmap() or prune() that touches its
  // window frees it, or a map fills it.
  void unreference(TableWindow window) noexcept requires(!Writers::kShared);
  // An empty table for `window`, with one reference. Pre: nothing stands there, and a table stands
  // for the window of the next height around it. What the device may have cached stays true.
  // ENOMEM.
  Result<> install(TableWindow window, PageTableAllocator& allocator) noexcept
      requires(!Writers::kShared);
  // Frees the empty tables without references whose windows `range` touches.
  void prune(GpuRange range, PageTableAllocator& allocator) noexcept requires(!Writers::kShared);

  // Whatever is mapped in `range` allows `prot` from now on; returns how many bytes that are.
  // Frames and dirty state stay. Blocks and runs at the edges are split as by unmap, and ENOMEM
  // means the same: nothing was changed. Pre: no repeated table stands in the range.
  Result<std::uint64_t> protect(GpuRange range, Prot prot, PageTableAllocator& allocator) noexcept;

  // Replaces each table without references whose window lies in `range` by a block, if its leaves
  // could be one (all present, contiguous, alike), and gives the contiguous hint to whole runs in
  // `range` that could carry it. Returns how many tables were freed. Never needs a page. Where
  // writes are tracked, a new writable block is dirty from the start, since the device may still be
  // noting a write in the leaves that it replaces.
  std::uint32_t coalesce(GpuRange range, PageTableAllocator& allocator) noexcept;

  // visit(GpuRange) for each leaf that touches `range` and was written through, in order; a run
  // counts as one leaf. Leaves are reported, and cleared, whole, also where they stick out of
  // `range`. Cleared leaves note the next write only once the device has forgotten them. Pre: the
  // configuration tracks dirty state.
  template <class Visit>
  requires DirtyFormat<Format>
  void for_each_dirty(GpuRange range, DirtyAction action, Visit visit) const {
    PANTRY_CHECK(config_.dirty == DirtyTracking::kHardware);
    dirty_in(at(root_), top_, range, action, visit);
  }

  // `range` widened to all of any leaf, run or window of a repeated table that unmap(range) would
  // split: what a RegionLock must cover. (Of a window that gets a table of its own no translation
  // changes, but the device may hold on to the way through the other table, which may be gone by
  // the next time that somebody flushes something here.)
  GpuRange footprint(GpuRange range) const noexcept;

  // The leaf at `va`.
  std::optional<Leaf> walk(GpuVa va) const noexcept;
  // Where `va` leads to, to the byte.
  std::optional<PhysAddr> iova_to_phys(GpuVa va) const noexcept;
  // visit(const Leaf&) for each leaf that touches `range`, in order.
  template <class Visit>
  void for_each_leaf(GpuRange range, Visit visit) const {
    leaves_in(at(root_), top_, range, visit);
  }
  // Tables in use by depth; 0 is the root's.
  std::array<std::uint32_t, kMaxTableLevels> tables_by_level() const noexcept;

 private:
  using Table = TableView;
  struct MapJob;
  struct RepeatJob;
  enum class Emptied { kFree, kKeep };  // what becomes of a table whose last entry goes
  struct Edited {
    std::uint64_t bytes;
    bool emptied;  // the table; it is the caller's to unlink
  };
  struct Found {
    std::uint64_t entry;
    std::uint32_t height;
  };
  // What became of a step of a map, as a set; none: done. kDead: the table died before anything was
  // written to it. kEmptied: it is empty and the caller's to unlink. kAgain: look at the slot
  // again.
  enum Step : std::uint32_t { kDone = 0, kNoMemory = 1, kDead = 2, kEmptied = 4, kAgain = 8 };

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
  static constexpr GpuRange slot_range(GpuVa base, std::uint32_t index, std::uint32_t height) {
    return GpuRange::of_size(base + span(height) * index, span(height));
  }
  // Of two ranges that intersect.
  static constexpr GpuRange intersection(GpuRange a, GpuRange b) {
    return {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
  }
  static constexpr bool is_leaf(std::uint64_t entry, std::uint32_t height) {
    return Format::kind(entry, height) == EntryKind::kLeaf;
  }
  static constexpr bool in_run(std::uint64_t leaf) {
    if constexpr (ContiguousFormat<Format>) return leaf & Format::kContiguousBit;
    return false;
  }
  // Bytes of a run of leaves at `height`; only where in_run() can be true.
  static constexpr std::uint64_t run_span(std::uint32_t height) {
    if constexpr (ContiguousFormat<Format>) return Format::kRunLeaves * span(height);
    return span(height);
  }
  bool allows_leaf(std::uint32_t height) const { return config_.page_sizes & span(height); }
  bool tracks_dirty() const {
    if constexpr (DirtyFormat<Format>) return config_.dirty == DirtyTracking::kHardware;
    return false;
  }
  std::uint64_t new_leaf(PhysAddr frame, Prot prot, std::uint32_t height) const;
  // new_leaf(frame, prot, 0)
  std::uint64_t new_page(PhysAddr frame, Prot prot) const {
    if constexpr (!kAddressInPlace<Format>) return new_leaf(frame, prot, 0);
    return frame.value | page_bits_[static_cast<std::uint32_t>(prot) % kProts];
  }
  Table at(PhysAddr table) const;
  Table child(std::uint64_t entry, std::uint32_t height) const;
  Result<Table> new_table(TableWindow window, PageTableAllocator& allocator);
  std::optional<Table> table_of(TableWindow window) const;
  void retire(const Table& table, std::uint32_t height, PageTableAllocator& allocator);
  void check_range(GpuRange range) const;
  bool is_free(const Table& table, std::uint32_t height, GpuRange range) const;
  void write_leaves(const Table& table, std::uint32_t height, std::uint32_t first,
                    std::uint32_t end, PhysAddr frame, Prot prot);
  void write_pages(const Table& table, std::uint32_t first, std::uint32_t end, ExtentCursor& frames,
                   Prot prot);
  [[gnu::noinline]] MapProgress map_from_root(GpuRange range, const ExtentCursor& frames, Prot prot,
                                              PageTableAllocator& allocator);
  [[gnu::always_inline]] void write_run(const Table& table, std::uint32_t first, std::uint32_t end,
                                        PhysAddr frame, Prot prot);
  std::uint32_t map_into(const Table& table, std::uint32_t height, MapJob& job);
  std::uint32_t map_pages(const Table& table, MapJob& job);
  std::uint32_t map_slot(const Table& table, std::uint32_t index, std::uint32_t height,
                         MapJob& job);
  std::uint32_t map_new_table(const Table& table, std::uint32_t index, std::uint32_t height,
                              MapJob& job);
  Result<> split_edges(GpuRange range, PageTableAllocator& allocator);
  Result<> split_at(GpuVa boundary, PageTableAllocator& allocator);
  Result<> split_block(std::uint64_t* slot, GpuVa va, std::uint32_t height,
                       PageTableAllocator& allocator);
  void part_run(const Table& table, std::uint32_t index);
  template <Emptied kEmptied>
  Edited unmap_from(const Table& table, std::uint32_t height, GpuRange range,
                    PageTableAllocator& allocator);
  template <Emptied kEmptied>
  Result<std::uint64_t> unmap_range(GpuRange range, PageTableAllocator& allocator);
  template <Emptied kEmptied>
  [[gnu::noinline]] Result<std::uint64_t> unmap_from_root(GpuRange range,
                                                          PageTableAllocator& allocator);
  // Where an edit lies that touches only a part of one table of height 0.
  struct Part {
    std::uint32_t first;  // entry
    std::uint32_t pages;
  };
  // Whether `range` is such a part of the remembered leaf table: then no edit of it needs a split
  // or a block, and check_range() would pass. Two comparisons: all but the index must be that of
  // the window, and of a whole table, or of a range that ends before it begins, the length is not
  // one of 1 to 511 pages.
  bool is_part_of_last(GpuRange range, Part& part) const {
    if constexpr (Writers::kShared) return false;
    constexpr std::uint64_t kIndexBits = span(1) - kPageSize;
    const std::uint64_t strange =
        (range.first.value ^ last_leaf_.first) | (range.last.value ^ last_leaf_.end_of_first);
    part.first = index(range.first, 0);
    part.pages = index(range.last, 0) - part.first + 1;
    return (strange & ~kIndexBits) == 0 && part.pages - 1 < kTableEntries - 1;
  }
  // The remembered table of height 1, if `range` is one or more of its slots and check_range()
  // would pass: then no unmap of it needs a split. Else null.
  const Table* last_above_of(GpuRange range) const {
    if constexpr (Writers::kShared) return nullptr;
    const bool slots = is_aligned(range.first.value | (range.last.value + 1), span(1)) &&
                       range.first <= range.last;
    const std::uint64_t number = last_above_.number;
    const bool here =
        range.first.value >> shift(2) == number && range.last.value >> shift(2) == number;
    return slots && here ? &last_above_.table : nullptr;
  }
  // Remembers the leaf table around `va`, if there is one of its own and the table above is the
  // remembered one.
  bool turn_to_leaf(GpuVa va);
  // The same; and whether `range` is a part of it.
  bool turn_to_part(GpuRange range) {
    Part part;
    return turn_to_leaf(range.first) && is_part_of_last(range, part);
  }
  // What the edits do where there is more to do than for one page in the remembered leaf table. Not
  // inline, and called last, so that those have no stack to set up.
  [[gnu::noinline]] MapProgress map_elsewhere(GpuRange range, const ExtentCursor& frames, Prot prot,
                                              PageTableAllocator& allocator);
  [[gnu::noinline]] MapProgress map_part(Part part, const ExtentCursor& frames, Prot prot);
  template <Emptied kEmptied>
  [[gnu::noinline]] Result<std::uint64_t> unmap_elsewhere(GpuRange range,
                                                          PageTableAllocator& allocator);
  template <Emptied kEmptied>
  [[gnu::noinline]] Result<std::uint64_t> unmap_part(GpuRange range, Part part,
                                                     PageTableAllocator& allocator);
  // Takes the table that `range` was the last of out of its slot, and frees it. Returns `bytes`.
  [[gnu::noinline]] Result<std::uint64_t> unlink_emptied(GpuRange range, std::uint64_t bytes,
                                                         PageTableAllocator& allocator);
  void check_frames(PhysAddr frame, std::uint32_t pages) const;
  // `table`, of height 1, stands in the window around `va`: edits that follow may start there.
  void remember_above(const Table& table, GpuVa va) {
    if constexpr (!Writers::kShared) {
      // Next to a run of leaves, an edit is never simple.
      if (config_.contiguous != ContiguousHint::kNever) return;
      last_above_.number = va.value >> shift(2);
      last_above_.table = table;
    }
  }
  // `table` stands there no more.
  void forget(const Table& table, std::uint32_t height) {
    if (Writers::kShared) return;
    if (height == 0 && last_leaf_.table.address == table.address) last_leaf_ = {};
    if (height == 1 && last_above_.table.address == table.address) last_above_ = {};
  }
  // Whether any table has references, and whether this one has.
  bool any_references() const {
    if constexpr (Writers::kShared) return false;
    return references_ != 0;
  }
  bool is_wanted(const Table& table) const {
    return any_references() && table.info->references() != 0;
  }
  bool any_wanted(const Table& table, std::uint32_t height) const;
  void prune_in(const Table& table, std::uint32_t height, GpuRange range,
                PageTableAllocator& allocator);
  Result<Table> new_repeated_table(std::uint32_t height, RepeatJob& job);
  bool repeat_into(const Table& table, std::uint32_t height, GpuRange range, RepeatJob& job);
  Result<> own_table(std::uint64_t* slot, GpuVa va, std::uint32_t height,
                     PageTableAllocator& allocator);
  std::uint64_t leave_repeated(const Table& table, std::uint32_t height,
                               PageTableAllocator& allocator);
  void end_repeated(const Table& table, std::uint32_t height, PageTableAllocator& allocator);
  std::optional<GpuRange> repeated_window(GpuVa va) const;
  bool any_repeated() const {
    if constexpr (Writers::kShared) return false;
    return std::atomic_ref<std::uint32_t>(const_cast<std::uint32_t&>(repeated_))
               .load(std::memory_order_relaxed) != 0;
  }
  bool is_repeated(const Table& table) const { return any_repeated() && table.info->is_repeated(); }
  std::uint64_t unlink(const Table& table, std::uint32_t index, std::uint32_t height,
                       PageTableAllocator& allocator);
  std::uint64_t free_tree(const Table& table, std::uint32_t height, PageTableAllocator& allocator);
  static constexpr std::uint32_t kSlotsAtOnce = 64;
  std::uint32_t drop_slots(const Table& table, std::uint32_t height, std::uint32_t first,
                           std::uint32_t end, std::uint64_t& bytes, PageTableAllocator& allocator);
  [[gnu::always_inline]] std::uint64_t free_each(const std::uint64_t* entries, std::uint32_t count,
                                                 std::uint32_t height,
                                                 PageTableAllocator& allocator);
  std::uint64_t free_below(const std::uint64_t* entries, std::uint32_t count, std::uint32_t height,
                           PageTableAllocator& allocator);
  std::uint64_t protect_in(const Table& table, std::uint32_t height, GpuRange range, Prot prot);
  std::uint32_t coalesce_in(const Table& table, std::uint32_t height, GpuRange range,
                            PageTableAllocator& allocator);
  std::optional<std::uint64_t> as_one_block(const Table& table, std::uint32_t height) const;
  bool are_contiguous(const Table& table, std::uint32_t first, std::uint32_t count,
                      std::uint32_t height) const;
  void form_runs(const Table& table, std::uint32_t height, GpuRange range);
  std::optional<Found> find(GpuVa va) const;
  GpuRange unit_at(GpuVa va, const Found& found) const;
  template <class Visit>
  void leaves_in(const Table& table, std::uint32_t height, GpuRange range, Visit& visit) const;
  template <class Visit>
  void dirty_in(const Table& table, std::uint32_t height, GpuRange range, DirtyAction action,
                Visit& visit) const;
  static bool take_dirty(std::uint64_t* slots, std::uint32_t count, std::uint32_t height,
                         DirtyAction action);

  TableConfig config_;
  TableMetadata* metadata_;
  PhysAddr root_;
  bool alive_ = true;
  std::uint32_t top_;             // height of the root's entries
  std::uint64_t references_ = 0;  // on all tables
  std::uint32_t repeated_ = 0;    // tables; readers ask as well (footprint)
  // Where the writer was last: a table of height 0 and one of height 1. They stand, and are of this
  // page table alone: whatever takes a table out of its slot, or lets others share it, calls
  // forget(). With several writers, and where there are runs, none.
  struct LastLeaf {
    // The first address of its window, and the last of its first page. Of none: what no range of
    // whole pages begins with.
    std::uint64_t first = 1;
    std::uint64_t end_of_first = 0;
    Table table{};
  };
  struct LastAbove {
    std::uint64_t number = ~std::uint64_t{0};  // of its window
    Table table{};
  };
  LastLeaf last_leaf_;
  LastAbove last_above_;
  // A page at address 0 by Prot, and the bits of an address that no frame has.
  static constexpr std::uint32_t kProts = 8;
  std::array<std::uint64_t, kProts> page_bits_;
  std::uint64_t no_frame_;
  std::array<std::uint32_t, kMaxTableLevels> tables_at_{};  // by height of their entries
};

template <TableFormat Format, class Writers>
inline auto RadixTable<Format, Writers>::at(PhysAddr table) const -> Table {
  TableInfo& info = metadata_->info(table);  // checks that the page is in DRAM
  return {table, static_cast<std::uint64_t*>(metadata_->dram().at(table, kPageSize)), &info};
}

template <TableFormat Format, class Writers>
auto RadixTable<Format, Writers>::child(std::uint64_t entry, std::uint32_t height) const -> Table {
  return at(Format::address(entry, height));
}

template <TableFormat Format, class Writers>
template <class Visit>
void RadixTable<Format, Writers>::leaves_in(const Table& table, std::uint32_t height,
                                            GpuRange range, Visit& visit) const {
  const GpuVa base = base_of(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  for (std::uint32_t i = Writers::next_present(table, index(range.first, height), end); i < end;
       i = Writers::next_present(table, i + 1, end)) {
    const GpuRange slot = slot_range(base, i, height);
    const std::uint64_t entry = load_entry(table.entries + i);
    switch (Format::kind(entry, height)) {
      case EntryKind::kLeaf:
        visit(Leaf{slot, Format::address(entry, height), Format::prot(entry)});
        break;
      case EntryKind::kTable:
        leaves_in(child(entry, height), height - 1, intersection(slot, range), visit);
        break;
      case EntryKind::kAbsent:  // since
        break;
    }
  }
}

template <TableFormat Format, class Writers>
template <class Visit>
void RadixTable<Format, Writers>::dirty_in(const Table& table, std::uint32_t height, GpuRange range,
                                           DirtyAction action, Visit& visit) const {
  const GpuVa base = base_of(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  for (std::uint32_t i = Writers::next_present(table, index(range.first, height), end); i < end;
       i = Writers::next_present(table, i + 1, end)) {
    const GpuRange slot = slot_range(base, i, height);
    const std::uint64_t entry = load_entry(table.entries + i);
    if (Format::kind(entry, height) == EntryKind::kTable) {
      dirty_in(child(entry, height), height - 1, intersection(slot, range), action, visit);
    } else if (is_leaf(entry, height)) {
      const GpuRange unit = unit_at(slot.first, {entry, height});
      const std::uint32_t first = index(unit.first, height);
      const std::uint32_t leaves = index(unit.last, height) + 1 - first;
      if (take_dirty(table.entries + first, leaves, height, action)) visit(unit);
      i = first + leaves - 1;
    }
  }
}

}  // namespace pantry::driver
