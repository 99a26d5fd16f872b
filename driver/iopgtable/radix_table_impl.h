// SPDX-License-Identifier: MIT
//
// The body of RadixTable, for the one .cc file per format that instantiates it. See radix_table.h
// for what holds. Here: creation, readers, map and unmap; radix_table_reshape_impl.h has what
// changes leaves that are there, radix_table_keep_impl.h what keeps empty tables,
// radix_table_repeat_impl.h what stands in many places.
//
// All walks go down from the root with a table and the height of its entries; a range is cut to the
// part that lies under the table as the walk descends. Recursion is at most six deep.
#pragma once

#include <algorithm>

#include "base/check.h"
#include "driver/iopgtable/radix_table.h"
#include "driver/iopgtable/radix_table_keep_impl.h"
#include "driver/iopgtable/radix_table_repeat_impl.h"
#include "driver/iopgtable/radix_table_reshape_impl.h"
#include "driver/iopgtable/store_run.h"

namespace pantry::driver {

// What is left to map: advances as leaves are written.
template <TableFormat Format, class Writers>
struct RadixTable<Format, Writers>::MapJob {
  GpuRange range;
  ExtentCursor frames;
  Prot prot;
  PageTableAllocator& allocator;
  GpuVa next;
  std::uint64_t left;                  // bytes
  std::optional<PhysAddr> spare = {};  // a page that another writer's table made superfluous

  Result<PhysAddr> take_page() {
    if (!spare) return allocator.alloc(kPageSize);
    const PhysAddr page = *spare;
    spare.reset();
    return page;
  }
};

template <TableFormat Format, class Writers>
Result<RadixTable<Format, Writers>> RadixTable<Format, Writers>::create(
    const TableConfig& config, TableMetadata& metadata, PageTableAllocator& allocator) {
  // A 1 GiB block is split into 2 MiB blocks, so those must be allowed then.
  const std::uint64_t sizes = config.page_sizes;
  const bool sizes_known = sizes == kPageSize || sizes == (kPageSize | 2 * kMiB) ||
                           sizes == (kPageSize | 2 * kMiB | kGiB);
  if (!Format::supports(config) || !sizes_known || config.levels() < 2 ||
      config.levels() > kMaxTableLevels ||
      (config.dirty != DirtyTracking::kNone && !DirtyFormat<Format>) ||
      (config.contiguous != ContiguousHint::kNever && !ContiguousFormat<Format>))
    return Error(Errno::kInval);
  const Result<PhysAddr> root = allocator.alloc(kPageSize);
  if (!root) return Error(root.error());
  return RadixTable(config, metadata, *root);
}

template <TableFormat Format, class Writers>
RadixTable<Format, Writers>::RadixTable(const TableConfig& config, TableMetadata& metadata,
                                        PhysAddr root)
    : config_(config), metadata_(&metadata), root_(root), top_(config.levels() - 1) {
  for (std::uint32_t prot = 0; prot < kProts; ++prot)
    page_bits_[prot] = new_leaf({0}, static_cast<Prot>(prot), 0);
  no_frame_ = ~std::uint64_t{0} << config.pa_bits;
  const Table table = at(root);
  table.info->reset({top_, 0});
  Writers::keep_root(table);
  tables_at_[top_] = 1;
}

template <TableFormat Format, class Writers>
RadixTable<Format, Writers>::RadixTable(RadixTable&& other) noexcept
    : config_(other.config_),
      metadata_(other.metadata_),
      root_(other.root_),
      alive_(other.alive_),
      top_(other.top_),
      references_(other.references_),
      repeated_(other.repeated_),
      page_bits_(other.page_bits_),
      no_frame_(other.no_frame_),
      tables_at_(other.tables_at_) {
  other.alive_ = false;
}

template <TableFormat Format, class Writers>
RadixTable<Format, Writers>::~RadixTable() {
  PANTRY_CHECK(!alive_);
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::destroy(PageTableAllocator& allocator) noexcept {
  PANTRY_CHECK(alive_ && references_ == 0);
  free_tree(at(root_), top_, allocator);
  alive_ = false;
}

template <TableFormat Format, class Writers>
auto RadixTable<Format, Writers>::new_table(TableWindow window, PageTableAllocator& allocator)
    -> Result<Table> {
  const Result<PhysAddr> page = allocator.alloc(kPageSize);
  if (!page) return Error(page.error());
  PANTRY_CHECK(is_aligned(page->value, kPageSize));
  const Table table = at(*page);
  table.info->reset(window);
  return table;
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::retire(const Table& table, std::uint32_t height,
                                         PageTableAllocator& allocator) {
  forget(table, height);
  Writers::count(tables_at_[height], -1);
  allocator.free(table.address, kPageSize);
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::check_range(GpuRange range) const {
  PANTRY_CHECK(alive_);
  PANTRY_CHECK(range.first <= range.last && space().contains(range));
  PANTRY_CHECK(is_aligned(range.first.value, kPageSize) &&
               is_aligned(range.last.value + 1, kPageSize));
}

template <TableFormat Format, class Writers>
std::uint64_t RadixTable<Format, Writers>::new_leaf(PhysAddr frame, Prot prot,
                                                    std::uint32_t height) const {
  const std::uint64_t leaf = Format::leaf(frame, prot, height);
  if constexpr (DirtyFormat<Format>)
    if (tracks_dirty()) return Format::clean(leaf);
  return leaf;
}

template <TableFormat Format, class Writers>
bool RadixTable<Format, Writers>::is_free(const Table& table, std::uint32_t height,
                                          GpuRange range) const {
  const std::uint32_t end = index(range.last, height) + 1;
  for (std::uint32_t i = Writers::next_present(table, index(range.first, height), end); i < end;
       i = Writers::next_present(table, i + 1, end)) {
    if (height == 0) return false;
    const std::uint64_t entry = load_entry(table.entries + i);
    if (is_leaf(entry, height)) return false;
    if (Writers::kShared && entry == 0) continue;  // a table that another writer has just removed
    const GpuRange slot = slot_range(base_of(range.first, height), i, height);
    if (!is_free(child(entry, height), height - 1, intersection(slot, range))) return false;
  }
  return true;
}

// Pages without the contiguous hint.
template <TableFormat Format, class Writers>
inline void RadixTable<Format, Writers>::write_run(const Table& table, std::uint32_t first,
                                                   std::uint32_t end, PhysAddr frame, Prot prot) {
  check_frames(frame, end - first);
  store_run(table.entries + first, end - first, new_page(frame, prot), Format::leaf_step(0));
}

template <TableFormat Format, class Writers>
inline void RadixTable<Format, Writers>::check_frames(PhysAddr frame, std::uint32_t pages) const {
  const std::uint64_t last = frame.value + kPageSize * pages - 1;
  PANTRY_CHECK((((frame.value | last) & no_frame_) | (frame.value % kPageSize)) == 0);
}

template <TableFormat Format, class Writers>
bool RadixTable<Format, Writers>::turn_to_leaf(GpuVa va) {
  if (Writers::kShared || va.value >> shift(2) != last_above_.number) return false;
  const std::uint64_t entry = load_entry(last_above_.table.entries + index(va, 1));
  if (Format::kind(entry, 1) != EntryKind::kTable) return false;
  const Table leaf = child(entry, 1);
  if (is_repeated(leaf)) return false;
  const std::uint64_t first = align_down(va.value, span(1));
  last_leaf_ = {first, first + kPageSize - 1, leaf};
  return true;
}

template <TableFormat Format, class Writers>
MapProgress RadixTable<Format, Writers>::map(GpuRange range, const ExtentCursor& frames, Prot prot,
                                             PageTableAllocator& allocator) noexcept {
  Part part;
  if (!is_part_of_last(range, part)) [[unlikely]]
    return map_elsewhere(range, frames, prot, allocator);
  if (part.pages != 1) return map_part(part, frames, prot);
  // Readers do not mind an entry that is said to be there before it is.
  if (!last_leaf_.table.info->try_set(part.first)) [[unlikely]]
    return {0, Errno::kExist};
  PANTRY_CHECK(frames.contiguous() >= kPageSize);
  const PhysAddr frame = frames.address();
  check_frames(frame, 1);
  store_entry(last_leaf_.table.entries + part.first, new_page(frame, prot));
  return {kPageSize, std::nullopt};
}

template <TableFormat Format, class Writers>
MapProgress RadixTable<Format, Writers>::map_elsewhere(GpuRange range, const ExtentCursor& frames,
                                                       Prot prot, PageTableAllocator& allocator) {
  if (turn_to_part(range)) return map(range, frames, prot, allocator);
  return map_from_root(range, frames, prot, allocator);
}

template <TableFormat Format, class Writers>
MapProgress RadixTable<Format, Writers>::map_part(Part part, const ExtentCursor& frames,
                                                  Prot prot) {
  const Table& leaf = last_leaf_.table;
  const std::uint32_t end = part.first + part.pages;
  if (!leaf.info->try_set(part.first, end)) return {0, Errno::kExist};
  const std::uint64_t bytes = kPageSize * part.pages;
  if (frames.contiguous() >= bytes) [[likely]] {
    write_run(leaf, part.first, end, frames.address(), prot);
  } else {
    ExtentCursor cursor = frames;
    write_pages(leaf, part.first, end, cursor, prot);
  }
  return {bytes, std::nullopt};
}

template <TableFormat Format, class Writers>
MapProgress RadixTable<Format, Writers>::map_from_root(GpuRange range, const ExtentCursor& frames,
                                                       Prot prot, PageTableAllocator& allocator) {
  check_range(range);
  PANTRY_CHECK(range.size() != 0);  // nobody has the frames for all of 64 bits
  if (!is_free(at(root_), top_, range)) return {0, Errno::kExist};
  MapJob job{range, frames, prot, allocator, range.first, range.size()};
  const std::uint32_t step = map_into(at(root_), top_, job);
  if (job.spare) allocator.free(*job.spare, kPageSize);
  return {range.size() - job.left, step == kDone ? std::nullopt : std::optional(Errno::kNoMem)};
}

// Maps as much of the job as lies under `table`, whose slots in the job's range hold at most
// tables.
template <TableFormat Format, class Writers>
std::uint32_t RadixTable<Format, Writers>::map_into(const Table& table, std::uint32_t height,
                                                    MapJob& job) {
  if (height == 0) return map_pages(table, job);
  if (height == 1) remember_above(table, job.next);
  do {
    const std::uint32_t i = index(job.next, height);
    const PhysAddr frame = job.frames.address();
    // How many leaves of this height could follow one another from here.
    std::uint64_t leaves = 0;
    if (allows_leaf(height) && is_aligned(job.next.value | frame.value, span(height)))
      leaves = std::min(job.left, job.frames.contiguous()) / span(height);
    const std::uint32_t end =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(i + leaves, kTableEntries));
    std::uint32_t stop = Writers::next_present(table, i, end);
    if constexpr (!Writers::kShared) {
      // The range is free, so whatever is present here is a table of nothing.
      if (leaves != 0 && stop == i &&
          !any_wanted(child(load_entry(table.entries + i), height), height - 1)) {
        unlink(table, i, height, job.allocator);
        stop = Writers::next_present(table, i, end);
      }
    }

    if (stop > i) {
      PANTRY_CHECK(frame.value + span(height) * (stop - i) <= std::uint64_t{1} << config_.pa_bits);
      if (!Writers::reserve(table, stop - i)) return kDead;
      write_leaves(table, height, i, stop, frame, job.prot);
      Writers::commit(table, i, stop);
      const std::uint64_t bytes = span(height) * (stop - i);
      job.frames.advance(bytes);
      job.next = job.next + bytes;
      job.left -= bytes;
    } else {
      const std::uint64_t entry = load_entry(table.entries + i);
      std::uint32_t step;
      if (!Writers::kShared && entry != 0) {
        step = map_into(child(entry, height), height - 1, job);
      } else {
        step = map_slot(table, i, height, job);
      }
      if (step != kDone) return step;
    }
  } while (job.left != 0 && index(job.next, height) != 0);
  return kDone;
}

// Fills a table of height 0 as far as the job goes, extent by extent. All of it is free: map() has
// looked.
template <TableFormat Format, class Writers>
std::uint32_t RadixTable<Format, Writers>::map_pages(const Table& table, MapJob& job) {
  const std::uint32_t first = index(job.next, 0);
  const std::uint32_t end = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(first + job.left / kPageSize, kTableEntries));
  if (!Writers::reserve(table, end - first)) return kDead;
  write_pages(table, first, end, job.frames, job.prot);
  Writers::commit(table, first, end);
  const std::uint64_t bytes = kPageSize * (end - first);
  job.next = job.next + bytes;
  job.left -= bytes;
  return kDone;
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::write_pages(const Table& table, std::uint32_t first,
                                              std::uint32_t end, ExtentCursor& frames, Prot prot) {
  if (!kAddressInPlace<Format> || config_.contiguous == ContiguousHint::kWherePossible) {
    for (std::uint32_t i = first; i < end;) {
      const PhysAddr frame = frames.address();
      const std::uint32_t pages = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(frames.contiguous() / kPageSize, end - i));
      PANTRY_CHECK(pages != 0 && is_aligned(frame.value, kPageSize));
      PANTRY_CHECK(frame.value + kPageSize * pages <= std::uint64_t{1} << config_.pa_bits);
      write_leaves(table, 0, i, i + pages, frame, prot);
      frames.advance(kPageSize * pages);
      i += pages;
    }
    return;
  }
  if (const std::uint64_t bytes = kPageSize * (end - first); frames.contiguous() >= bytes) {
    write_run(table, first, end, frames.address(), prot);
    frames.advance(bytes);
    return;
  }
  const std::uint64_t attributes = new_page({0}, prot);  // of a leaf with its address in place
  std::uint64_t* const slots = table.entries + first;
  const FrameBits bits = has_wide_stores()
                             ? store_pages_wide(slots, end - first, frames, attributes)
                             : store_pages_portable(slots, end - first, frames, attributes);
  PANTRY_CHECK(bits.low % kPageSize == 0 && bits.high >> config_.pa_bits == 0);
}

template <TableFormat Format, class Writers>
void RadixTable<Format, Writers>::write_leaves(const Table& table, std::uint32_t height,
                                               std::uint32_t first, std::uint32_t end,
                                               PhysAddr frame, Prot prot) {
  const std::uint64_t leaf = new_leaf(frame, prot, height);
  const std::uint64_t step = Format::leaf_step(height);
  if constexpr (ContiguousFormat<Format>) {
    constexpr std::uint32_t kRun = Format::kRunLeaves;
    // Whole runs, if frames are aligned where addresses are: 3 to 40 is 3 to 16, runs to 32, rest.
    const std::uint32_t runs = (first + kRun - 1) / kRun * kRun;
    const std::uint32_t rest = end / kRun * kRun;
    if (config_.contiguous == ContiguousHint::kWherePossible && runs < rest &&
        is_aligned(frame.value + span(height) * (runs - first), run_span(height))) {
      store_run(table.entries + first, runs - first, leaf, step);
      store_run(table.entries + runs, rest - runs,
                (leaf + step * (runs - first)) | Format::kContiguousBit, step);
      store_run(table.entries + rest, end - rest, leaf + step * (rest - first), step);
      return;
    }
  }
  store_run(table.entries + first, end - first, leaf, step);
}

// Maps what lies in one slot in which no leaf will do. Does not return kDead or kAgain.
template <TableFormat Format, class Writers>
std::uint32_t RadixTable<Format, Writers>::map_slot(const Table& table, std::uint32_t index,
                                                    std::uint32_t height, MapJob& job) {
  for (;;) {
    const std::uint64_t entry = load_entry(table.entries + index);
    if (entry == 0) {
      PANTRY_CHECK(height > 0);  // else the frames are not whole pages
      const std::uint32_t step = map_new_table(table, index, height, job);
      if (step != kAgain) return step;
      continue;
    }
    const Table below = child(entry, height);
    const std::uint32_t step = map_into(below, height - 1, job);
    if constexpr (Writers::kShared) {
      if (step & kDead) {
        Writers::wait_for_change(table.entries + index, entry);
        continue;
      }
      if (step & kEmptied) {
        Writers::drop(table, index);
        retire(below, height - 1, job.allocator);
        const std::uint32_t emptied = Writers::release(table, 1) ? kEmptied : kDone;
        if ((step & kNoMemory) || emptied) return (step & kNoMemory) | emptied;
        continue;
      }
    }
    return step;
  }
}

// Fills an absent slot with a table and maps what lies under it.
template <TableFormat Format, class Writers>
std::uint32_t RadixTable<Format, Writers>::map_new_table(const Table& table, std::uint32_t index,
                                                         std::uint32_t height, MapJob& job) {
  const Result<PhysAddr> page = job.take_page();
  if (!page) return kNoMemory;
  PANTRY_CHECK(is_aligned(page->value, kPageSize));
  const Table below = at(*page);
  below.info->reset(TableWindow::around(job.next, height - 1));
  std::uint64_t* const slot = table.entries + index;
  const std::uint64_t entry = Format::table(below.address, height);
  if (!Writers::reserve(table, 1)) {
    job.spare = below.address;
    return kDead;
  }
  if constexpr (Writers::kShared) {
    if (!job.range.contains(slot_range(base_of(job.next, height), index, height))) {
      // Another writer may want this table as well, so it is there before it has entries. The
      // count keeps it alive meanwhile.
      below.info->try_add(1);
      std::uint64_t expected = 0;
      if (!replace_entry(slot, expected, entry)) {
        job.spare = below.address;
        return Writers::release(table, 1) ? kEmptied : kAgain;
      }
      Writers::count(tables_at_[height - 1], 1);
      std::uint32_t step = map_into(below, height - 1, job);
      if (Writers::release(below, 1)) {
        Writers::drop(table, index);
        retire(below, height - 1, job.allocator);
        if (Writers::release(table, 1)) step |= kEmptied;
      }
      return step;
    }
  }
  const std::uint32_t step = map_into(below, height - 1, job);
  if (below.info->count() == 0) {
    forget(below, height - 1);
    job.allocator.free(below.address, kPageSize);
    if (Writers::kShared && Writers::release(table, 1)) return step | kEmptied;
    return step;
  }
  // Filled as far as it will be: now the device may find it.
  store_entry(slot, entry);
  Writers::commit(table, index, index + 1);
  Writers::count(tables_at_[height - 1], 1);
  return step;
}

template <TableFormat Format, class Writers>
Result<std::uint64_t> RadixTable<Format, Writers>::unmap(GpuRange range,
                                                         PageTableAllocator& allocator) noexcept {
  return unmap_range<Emptied::kFree>(range, allocator);
}

template <TableFormat Format, class Writers>
Result<std::uint64_t> RadixTable<Format, Writers>::clear(GpuRange range,
                                                         PageTableAllocator& allocator) noexcept
    requires(!Writers::kShared) {
  return unmap_range<Emptied::kKeep>(range, allocator);
}

template <TableFormat Format, class Writers>
template <typename RadixTable<Format, Writers>::Emptied kEmptied>
Result<std::uint64_t> RadixTable<Format, Writers>::unmap_range(GpuRange range,
                                                               PageTableAllocator& allocator) {
  Part part;
  if (!is_part_of_last(range, part)) [[unlikely]]
    return unmap_elsewhere<kEmptied>(range, allocator);
  if (part.pages != 1) return unmap_part<kEmptied>(range, part, allocator);
  store_entry(last_leaf_.table.entries + part.first, 0);
  TableInfo& info = *last_leaf_.table.info;
  const std::uint64_t bytes = info.clear(part.first) * kPageSize;
  if (kEmptied == Emptied::kFree && info.count() == 0) [[unlikely]]
    return unlink_emptied(range, bytes, allocator);
  return bytes;
}

template <TableFormat Format, class Writers>
template <typename RadixTable<Format, Writers>::Emptied kEmptied>
Result<std::uint64_t> RadixTable<Format, Writers>::unmap_elsewhere(GpuRange range,
                                                                   PageTableAllocator& allocator) {
  if (const Table* const above = last_above_of(range)) {
    const Edited done = unmap_from<kEmptied>(Table(*above), 1, range, allocator);
    if (kEmptied == Emptied::kFree && done.emptied)
      return unlink_emptied(range, done.bytes, allocator);
    return done.bytes;
  }
  if (turn_to_part(range)) return unmap_range<kEmptied>(range, allocator);
  return unmap_from_root<kEmptied>(range, allocator);
}

template <TableFormat Format, class Writers>
template <typename RadixTable<Format, Writers>::Emptied kEmptied>
Result<std::uint64_t> RadixTable<Format, Writers>::unmap_part(GpuRange range, Part part,
                                                              PageTableAllocator& allocator) {
  const ClearedRun run = Writers::clear_run(last_leaf_.table, part.first, part.first + part.pages);
  const std::uint64_t bytes = std::uint64_t{run.present} * kPageSize;
  if (kEmptied == Emptied::kFree && run.emptied) return unlink_emptied(range, bytes, allocator);
  return bytes;
}

template <TableFormat Format, class Writers>
Result<std::uint64_t> RadixTable<Format, Writers>::unlink_emptied(GpuRange range,
                                                                  std::uint64_t bytes,
                                                                  PageTableAllocator& allocator) {
  unmap_from<Emptied::kFree>(at(root_), top_, range, allocator);
  return bytes;
}

template <TableFormat Format, class Writers>
template <typename RadixTable<Format, Writers>::Emptied kEmptied>
Result<std::uint64_t> RadixTable<Format, Writers>::unmap_from_root(GpuRange range,
                                                                   PageTableAllocator& allocator) {
  check_range(range);
  PANTRY_TRY(split_edges(range, allocator));  // after that nothing can fail
  return unmap_from<kEmptied>(at(root_), top_, range, allocator).bytes;
}

// Pre: no leaf sticks out of `range`.
template <TableFormat Format, class Writers>
template <typename RadixTable<Format, Writers>::Emptied kEmptied>
auto RadixTable<Format, Writers>::unmap_from(const Table& table, std::uint32_t height,
                                             GpuRange range, PageTableAllocator& allocator)
    -> Edited {
  const std::uint32_t first = index(range.first, height);
  const std::uint32_t end = index(range.last, height) + 1;
  if (height == 0) {
    const ClearedRun run = Writers::clear_run(table, first, end);
    return {std::uint64_t{run.present} * kPageSize, run.emptied};
  }
  if (height == 1) remember_above(table, range.first);
  std::uint64_t bytes = 0;
  std::uint32_t dropped = 0;
  const GpuVa base = base_of(range.first, height);
  // Tables that go as a whole need not be emptied first. These slots: all but those that the edges
  // of the range lie in.
  std::uint32_t whole = end;
  std::uint32_t whole_end = end;
  if (kEmptied == Emptied::kFree && !any_references()) {
    if (range.contains(slot_range(base, first, height)))
      whole = first;
    else
      whole = first + 1;
    if (!range.contains(slot_range(base, end - 1, height))) whole_end = end - 1;
  }
  for (std::uint32_t i = Writers::next_present(table, first, end); i < end;
       i = Writers::next_present(table, i + 1, end)) {
    if (whole <= i && i < whole_end) {
      dropped += drop_slots(table, height, i, whole_end, bytes, allocator);
      i = whole_end - 1;
      continue;
    }
    const GpuRange slot = slot_range(base, i, height);
    const std::uint64_t entry = load_entry(table.entries + i);
    if (is_leaf(entry, height)) {
      Writers::drop(table, i);
      ++dropped;
      bytes += span(height);
      continue;
    }
    if (Writers::kShared && entry == 0) continue;
    const Table below = child(entry, height);
    if (is_repeated(below)) {
      Writers::drop(table, i);
      ++dropped;
      bytes += leave_repeated(below, height - 1, allocator);
      continue;
    }
    const Edited part =
        unmap_from<kEmptied>(below, height - 1, intersection(slot, range), allocator);
    bytes += part.bytes;
    if (kEmptied == Emptied::kKeep || !part.emptied || is_wanted(below)) continue;
    // The way to the table goes first, then the table.
    Writers::drop(table, i);
    ++dropped;
    retire(below, height - 1, allocator);
  }
  return {bytes, Writers::release(table, dropped)};
}

// Clears [first, end), so many at a time that they fit on the stack, and frees what they lead to:
// the way to a table goes first. Adds the bytes that were mapped to `bytes`, and returns how many
// entries there were, for release(). Pre: the first is present.
template <TableFormat Format, class Writers>
std::uint32_t RadixTable<Format, Writers>::drop_slots(const Table& table, std::uint32_t height,
                                                      std::uint32_t first, std::uint32_t end,
                                                      std::uint64_t& bytes,
                                                      PageTableAllocator& allocator) {
  if (end - first == 1) {
    const std::uint64_t entry = load_entry(table.entries + first);
    Writers::drop(table, first);
    bytes += is_leaf(entry, height) ? span(height)
                                    : free_tree(child(entry, height), height - 1, allocator);
    return 1;
  }
  std::uint32_t dropped = 0;
  std::uint64_t entries[kSlotsAtOnce];
  while ((first = Writers::next_present(table, first, end)) < end) {
    const std::uint32_t count = std::min(end - first, kSlotsAtOnce);
    for (std::uint32_t i = 0; i < count; ++i) entries[i] = load_entry(table.entries + first + i);
    dropped += Writers::drop(table, first, first + count);
    bytes += free_below(entries, count, height, allocator);
    first += count;
  }
  return dropped;
}

// Frees all that the entries, of `height`, lead to. Returns the bytes that were mapped there.
template <TableFormat Format, class Writers>
std::uint64_t RadixTable<Format, Writers>::free_below(const std::uint64_t* entries,
                                                      std::uint32_t count, std::uint32_t height,
                                                      PageTableAllocator& allocator) {
  // Most tables stand over leaf tables: of a constant height, an entry is told from another faster.
  return height == 1 ? free_each(entries, count, 1, allocator)
                     : free_each(entries, count, height, allocator);
}

template <TableFormat Format, class Writers>
inline std::uint64_t RadixTable<Format, Writers>::free_each(const std::uint64_t* entries,
                                                            std::uint32_t count,
                                                            std::uint32_t height,
                                                            PageTableAllocator& allocator) {
  std::uint64_t bytes = 0;
  std::array<PhysAddr, 16> tables;  // with entries of height 0
  std::uint32_t found = 0;
  const auto free_found = [&] {
    Writers::count(tables_at_[0], -static_cast<std::int32_t>(found));
    allocator.free_tables({tables.data(), found});
    found = 0;
  };
  std::uint32_t leaves = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t entry = load_entry(entries + i);
    if (is_leaf(entry, height)) {
      ++leaves;
    } else if (entry == 0) {
      continue;
    } else if (height != 1 || any_repeated()) {
      bytes += free_tree(child(entry, height), height - 1, allocator);
    } else {
      tables[found] = Format::address(entry, height);
      bytes += std::uint64_t{metadata_->info(tables[found]).count()} * kPageSize;
      if (++found == tables.size()) free_found();
    }
  }
  if (found != 0) free_found();
  if constexpr (!Writers::kShared) last_leaf_ = {};  // it may have been one of them
  return bytes + leaves * span(height);
}

// Frees `table`, which one entry fewer or nothing points to, and all below it. Its entries stay as
// they are: until the flush, the device may still use them. Returns the bytes that were mapped in
// it.
template <TableFormat Format, class Writers>
std::uint64_t RadixTable<Format, Writers>::free_tree(const Table& table, std::uint32_t height,
                                                     PageTableAllocator& allocator) {
  if (is_repeated(table)) return leave_repeated(table, height, allocator);
  std::uint64_t bytes = 0;
  if (height == 0) {
    bytes = std::uint64_t{table.info->count()} * kPageSize;
  } else {
    std::uint32_t i = 0;
    while ((i = Writers::next_present(table, i, kTableEntries)) < kTableEntries) {
      const std::uint32_t count = std::min(kTableEntries - i, kSlotsAtOnce);
      bytes += free_below(table.entries + i, count, height, allocator);
      i += count;
    }
  }
  retire(table, height, allocator);
  return bytes;
}

// Frees the table that entry `index` points to, and all below it: the way to it goes first. Returns
// the bytes that were mapped in it.
template <TableFormat Format, class Writers>
std::uint64_t RadixTable<Format, Writers>::unlink(const Table& table, std::uint32_t index,
                                                  std::uint32_t height,
                                                  PageTableAllocator& allocator) {
  const Table below = child(load_entry(table.entries + index), height);
  Writers::drop(table, index);
  return free_tree(below, height - 1, allocator);
}

template <TableFormat Format, class Writers>
auto RadixTable<Format, Writers>::find(GpuVa va) const -> std::optional<Found> {
  PANTRY_CHECK(alive_);
  if (!space().contains(va)) return std::nullopt;
  Table table = at(root_);
  for (std::uint32_t height = top_;; --height) {
    const std::uint64_t entry = load_entry(table.entries + index(va, height));
    switch (Format::kind(entry, height)) {
      case EntryKind::kLeaf:
        return Found{entry, height};
      case EntryKind::kAbsent:
        return std::nullopt;
      case EntryKind::kTable:
        table = child(entry, height);
    }
  }
}

template <TableFormat Format, class Writers>
std::optional<Leaf> RadixTable<Format, Writers>::walk(GpuVa va) const noexcept {
  const std::optional<Found> found = find(va);
  if (!found) return std::nullopt;
  const std::uint64_t size = span(found->height);
  return Leaf{GpuRange::of_size({align_down(va.value, size)}, size),
              Format::address(found->entry, found->height), Format::prot(found->entry)};
}

template <TableFormat Format, class Writers>
std::optional<PhysAddr> RadixTable<Format, Writers>::iova_to_phys(GpuVa va) const noexcept {
  const std::optional<Found> found = find(va);
  if (!found) return std::nullopt;
  return Format::address(found->entry, found->height) + (va.value & (span(found->height) - 1));
}

// The leaf at `va`, or the run that it belongs to: what changes as one.
template <TableFormat Format, class Writers>
GpuRange RadixTable<Format, Writers>::unit_at(GpuVa va, const Found& found) const {
  const std::uint64_t size = in_run(found.entry) ? run_span(found.height) : span(found.height);
  return GpuRange::of_size({align_down(va.value, size)}, size);
}

template <TableFormat Format, class Writers>
GpuRange RadixTable<Format, Writers>::footprint(GpuRange range) const noexcept {
  check_range(range);
  if (const auto found = find(range.first)) range.first = unit_at(range.first, *found).first;
  if (const auto found = find(range.last)) range.last = unit_at(range.last, *found).last;
  if (!any_repeated()) return range;
  const GpuRange asked = range;
  if (const auto window = repeated_window(asked.first)) range.first = window->first;
  if (const auto window = repeated_window(asked.last)) range.last = window->last;
  return range;
}

template <TableFormat Format, class Writers>
std::array<std::uint32_t, kMaxTableLevels> RadixTable<Format, Writers>::tables_by_level()
    const noexcept {
  std::array<std::uint32_t, kMaxTableLevels> levels{};
  for (std::uint32_t level = 0; level <= top_; ++level) {
    const std::uint32_t& tables = tables_at_[top_ - level];
    levels[level] = std::atomic_ref<std::uint32_t>(const_cast<std::uint32_t&>(tables))
                        .load(std::memory_order_relaxed);
  }
  return levels;
}

}  // namespace pantry::driver
