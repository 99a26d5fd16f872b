// SPDX-License-Identifier: MIT
//
// For tests: what a page table should hold, as a sorted list of pieces. A piece is a range mapped
// to contiguous frames by leaves of one size. Leaf sizes follow from the rules in radix_table.h
// alone: the largest that address, frame and length allow when mapped; the next smaller one for
// what is left of a leaf when part of it is edited.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/types.h"
#include "driver/iopgtable/prot.h"

namespace pantry::driver {

class MappingModel {
 public:
  struct Rules {
    std::uint64_t leaf_sizes;  // one bit each
    std::uint64_t run;         // leaves that carry a contiguous hint together; 1: no hints
    bool tracks_dirty;
    Prot expressible;  // what the format can say
  };
  struct Piece {
    std::uint64_t last;
    std::uint64_t frame;
    Prot prot;
    std::uint64_t leaf;  // bytes
    bool hint = false;
    bool dirty = false;
  };
  using Pieces = std::map<std::uint64_t, Piece>;  // by first address

  explicit MappingModel(const Rules& rules) : rules_(rules) {}

  const Pieces& pieces() const { return pieces_; }
  // The piece that holds `va`.
  Pieces::const_iterator find(std::uint64_t va) const {
    auto at = pieces_.upper_bound(va);
    if (at == pieces_.begin()) return pieces_.end();
    --at;
    return at->second.last >= va ? at : pieces_.end();
  }
  bool any(GpuRange range) const {
    const auto at = pieces_.lower_bound(range.first.value);
    return find(range.first.value) != pieces_.end() ||
           (at != pieces_.end() && at->first <= range.last.value);
  }

  // Pre: nothing is mapped in [va, va + the size of the extents).
  void map(std::uint64_t va, std::span<const PhysExtent> extents, Prot prot) {
    for (const PhysExtent& extent : extents) {
      for (std::uint64_t done = 0; done < extent.size;) {
        const std::uint64_t leaf = best(va + done, extent.start.value + done, extent.size - done);
        // Leaves of this size, until a larger one fits or this one no longer does.
        std::uint64_t end = done;
        do end += leaf;
        while (end < extent.size &&
               best(va + end, extent.start.value + end, extent.size - end) == leaf);
        insert(va + done, va + (end - 1),
               {0, extent.start.value + done, prot & rules_.expressible, leaf});
        done = end;
      }
      va += extent.size;
    }
  }
  std::uint64_t unmap(GpuRange range) {
    split(range);
    std::uint64_t bytes = 0;
    for (auto at = pieces_.lower_bound(range.first.value);
         at != pieces_.end() && at->first <= range.last.value; at = pieces_.erase(at))
      bytes += at->second.last - at->first + 1;
    return bytes;
  }
  std::uint64_t protect(GpuRange range, Prot prot) {
    split(range);
    std::uint64_t bytes = 0;
    for (auto at = pieces_.lower_bound(range.first.value);
         at != pieces_.end() && at->first <= range.last.value; ++at) {
      at->second.prot = prot & rules_.expressible;
      bytes += at->second.last - at->first + 1;
    }
    return bytes;
  }
  // Returns how many tables that should free.
  std::uint32_t coalesce(GpuRange range) {
    std::uint32_t freed = 0;
    for (std::uint64_t small = kPageSize; small != kGiB; small *= 512) {
      const std::uint64_t large = small * 512;
      if (!(rules_.leaf_sizes & large)) continue;
      for (const std::uint64_t window : windows(range, small, large)) {
        const std::optional<Piece> whole = uniform(window, large, small);
        if (!whole) continue;
        pieces_.erase(pieces_.lower_bound(window), pieces_.upper_bound(window + (large - 1)));
        Piece block = *whole;
        block.leaf = large;
        block.hint = false;
        block.dirty |= rules_.tracks_dirty && !has(block.prot, Prot::kReadOnly);
        pieces_.emplace(window, block);
        ++freed;
      }
    }
    if (rules_.run == 1) return freed;
    for (std::uint64_t leaf = kPageSize; leaf <= kGiB; leaf *= 512) {
      for (const std::uint64_t window : windows(range, leaf, rules_.run * leaf)) {
        std::optional<Piece> run = uniform(window, rules_.run * leaf, leaf);
        if (!run) continue;
        pieces_.erase(pieces_.lower_bound(window),
                      pieces_.upper_bound(window + (rules_.run * leaf - 1)));
        run->hint = true;
        pieces_.emplace(window, *run);
      }
    }
    return freed;
  }
  GpuRange footprint(GpuRange range) const {
    if (const auto at = find(range.first.value); at != pieces_.end())
      range.first = {align_down(range.first.value, unit(at->second))};
    if (const auto at = find(range.last.value); at != pieces_.end())
      range.last = {range.last.value | (unit(at->second) - 1)};
    return range;
  }

  // The device writes through the leaf at `va`, which is mapped. Only with tracking and no hints.
  void write(std::uint64_t va) {
    const auto at = find(va);
    if (has(at->second.prot, Prot::kReadOnly)) return;
    const std::uint64_t leaf = at->second.leaf;
    const std::uint64_t first = align_down(va, leaf);
    cut(first);
    if (first + (leaf - 1) != UINT64_MAX) cut(first + leaf);
    pieces_.at(first).dirty = true;
  }
  // The dirty leaves that touch `range`, which are clean afterwards.
  std::vector<GpuRange> take_dirty(GpuRange range) {
    std::vector<GpuRange> dirty;
    const GpuRange whole = footprint(range);
    cut(whole.first.value);
    if (whole.last.value != UINT64_MAX) cut(whole.last.value + 1);
    for (auto at = pieces_.lower_bound(whole.first.value);
         at != pieces_.end() && at->first <= whole.last.value; ++at) {
      if (!at->second.dirty) continue;
      at->second.dirty = false;
      for (std::uint64_t va = at->first; va - at->first <= at->second.last - at->first;) {
        dirty.push_back(GpuRange::of_size({va}, at->second.leaf));
        if (at->second.last - va < at->second.leaf) break;
        va += at->second.leaf;
      }
    }
    return dirty;
  }

 private:
  std::uint64_t unit(const Piece& piece) const {
    return piece.hint ? piece.leaf * rules_.run : piece.leaf;
  }
  std::uint64_t best(std::uint64_t va, std::uint64_t frame, std::uint64_t size) const {
    std::uint64_t best = kPageSize;
    for (const std::uint64_t leaf : {2 * kMiB, kGiB})
      if ((rules_.leaf_sizes & leaf) && va % leaf == 0 && frame % leaf == 0 && size >= leaf)
        best = leaf;
    return best;
  }
  // A stretch of leaves, the runs in which are pieces of their own.
  void insert(std::uint64_t first, std::uint64_t last, Piece piece) {
    const std::uint64_t run = rules_.run * piece.leaf;
    const auto add = [&](std::uint64_t from, std::uint64_t to, bool hint) {
      if (from > to) return;
      Piece part = piece;
      part.last = to;
      part.frame += from - first;
      part.hint = hint;
      pieces_.emplace(from, part);
    };
    const std::uint64_t head = align_up(first, run);
    const std::uint64_t tail = last - (last + 1) % run;  // the last byte of the last run
    if (rules_.run == 1 || head < first || head > last || tail < head || tail > last ||
        (piece.frame + (head - first)) % run != 0)
      return add(first, last, false);
    if (head != first) add(first, head - 1, false);
    add(head, tail, true);
    if (tail != last) add(tail + 1, last, false);
  }
  // A piece ends at `at`, all else stays.
  void cut(std::uint64_t at) {
    const auto found = pieces_.upper_bound(at);
    if (found == pieces_.begin()) return;
    auto& [first, piece] = *std::prev(found);
    if (first == at || piece.last < at) return;
    Piece right = piece;
    right.frame += at - first;
    piece.last = at - 1;
    pieces_.emplace(at, right);
  }
  void split(GpuRange range) {
    split_at(range.first.value);
    if (range.last.value != UINT64_MAX) split_at(range.last.value + 1);
  }
  // A leaf ends at `at`, and a run.
  void split_at(std::uint64_t at) {
    for (;;) {
      const auto found = find(at);
      if (found == pieces_.end()) return;
      const std::uint64_t size = unit(found->second);
      if (at % size == 0) return cut(at);
      const std::uint64_t first = align_down(at, size);
      cut(first);
      if (first + (size - 1) != UINT64_MAX) cut(first + size);
      Piece& piece = pieces_.at(first);
      if (piece.hint)
        piece.hint = false;
      else
        piece.leaf /= 512;
    }
  }
  // The windows of `size` inside of `range` that hold leaves of `leaf` bytes.
  std::vector<std::uint64_t> windows(GpuRange range, std::uint64_t leaf, std::uint64_t size) const {
    std::vector<std::uint64_t> windows;
    const auto inside = find(range.first.value);
    auto at = inside != pieces_.end() ? inside : pieces_.lower_bound(range.first.value);
    for (; at != pieces_.end() && at->first <= range.last.value; ++at) {
      if (at->second.leaf != leaf) continue;
      const std::uint64_t last = std::min(at->second.last, range.last.value);
      for (std::uint64_t window = align_down(at->first, size);; window += size) {
        if (range.contains(GpuRange::of_size({window}, size)) &&
            (windows.empty() || windows.back() < window))
          windows.push_back(window);
        if (window + (size - 1) >= last) break;
      }
    }
    return windows;
  }
  // One piece for [window, window + size), if it is full of leaves of `leaf` bytes that map
  // aligned, contiguous frames alike.
  std::optional<Piece> uniform(std::uint64_t window, std::uint64_t size, std::uint64_t leaf) {
    auto at = find(window);
    if (at == pieces_.end()) return std::nullopt;
    Piece whole = at->second;
    whole.frame += window - at->first;
    whole.last = window + (size - 1);
    if (whole.frame % size != 0) return std::nullopt;
    for (std::uint64_t next = window;; ++at) {
      if (at == pieces_.end() || (next != window && at->first != next)) return std::nullopt;
      const Piece& piece = at->second;
      if (piece.leaf != leaf || piece.prot != whole.prot ||
          piece.frame - at->first != whole.frame - window)
        return std::nullopt;
      whole.dirty |= piece.dirty;
      if (piece.last >= whole.last) break;
      next = piece.last + 1;
    }
    cut(window);
    if (whole.last != UINT64_MAX) cut(whole.last + 1);
    return whole;
  }

  Rules rules_;
  Pieces pieces_;
};

}  // namespace pantry::driver
