// SPDX-License-Identifier: MIT
#include "driver/memory/frame_allocator.h"

#include <algorithm>
#include <bit>
#include <new>

#include "base/check.h"
#include "driver/kernel/lock_order.h"
#include "driver/kernel/work.h"

namespace pantry::driver {

namespace {

constexpr std::uint32_t kMaxOrder = kMaxFrameOrder.value;
constexpr std::uint64_t kBlockFrames = 2 * kMiB / kPageSize;

// floor_order(1) == 0, floor_order(511) == 8, floor_order(512) == 9
std::uint32_t floor_order(std::uint64_t frames) {
  return static_cast<std::uint32_t>(std::bit_width(frames)) - 1;
}
// ceil_order(1) == 0, ceil_order(512) == 9, ceil_order(513) == 10
std::uint32_t ceil_order(std::uint64_t frames) {
  return static_cast<std::uint32_t>(std::bit_width(frames - 1));
}

std::uint64_t frames_of(std::uint64_t bytes) {
  PANTRY_CHECK(bytes != 0 && is_aligned(bytes, kPageSize));
  return bytes / kPageSize;
}

// Adds `piece` to `extents`; when compact, to the last of them if it follows that. False: no memory
// for it.
bool append(Extents& extents, PhysExtent piece, FrameAllocator::Placement placement,
            AllocationFaults& faults) PANTRY_MAY_ALLOCATE {
  if (placement == FrameAllocator::Placement::kCompact && !extents.empty() &&
      extents.back().start + extents.back().size == piece.start) {
    extents.back().size += piece.size;
    return true;
  }
  if (extents.size() == extents.capacity()) {
    if (faults.should_fail()) return false;
    try {
      extents.reserve(2 * extents.size() + 4);
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  extents.push_back(piece);
  return true;
}

// Run takes its pages from what prepare laid in; frames neither come nor go inside a section.
void check_outside_section() {
  PANTRY_CHECK(!SignallingSection::active());
  lock_order::may_wait();
}

}  // namespace

FrameAllocator::FrameAllocator(PhysExtent range, Options options)
    : range_(range),
      options_(options),
      first_(range.start.value / kPageSize),
      end_(first_ + frames_of(range.size)),
      links_(end_ - first_),
      free_order_(end_ - first_),
      allocated_(end_ - first_),
      random_(options.seed) {
  PANTRY_CHECK(is_aligned(range.start.value, kPageSize) && end_ - first_ < UINT32_MAX);
  MutexLock lock(mutex_);
  statistics_.total = end_ - first_;
  statistics_.used = statistics_.total;
  const bool fresh = allocated_.set(0, end_ - first_);
  PANTRY_CHECK(fresh);
  // The largest blocks that alignment allows, the highest first, so that the lowest is handed out
  // first.
  for (Frame end = end_; end > first_;) {
    std::uint32_t order = std::min(
        {static_cast<std::uint32_t>(std::countr_zero(end)), floor_order(end - first_), kMaxOrder});
    end -= Frame{1} << order;
    release(end, Frame{1} << order);
  }
  statistics_.peak_used = 0;
}

Result<PhysAddr> FrameAllocator::alloc(FrameOrder order, OwnerId owner) {
  PANTRY_CHECK(order <= kMaxFrameOrder);
  std::optional<Frame> frame;
  Shortage shortage{.arrivals = arrivals_};
  if (admit()) {
    do {
      frame = order.value == 0 && options_.placement == Placement::kScatter ? take_at_random()
                                                                            : take(order.value);
    } while (!frame && has_more(order.bytes(), shortage));
  }
  account(frame ? Outcome::kServed : Outcome::kRefused);
  if (!frame) return Error(Errno::kNoMem);
  const PhysExtent extent = extent_of(*frame, Frame{1} << order.value);
  set_owner(extent, owner);
  return extent.start;
}

Result<PhysExtent> FrameAllocator::alloc_contiguous(std::uint64_t bytes, OwnerId owner) {
  const std::uint64_t count = frames_of(bytes);
  const std::uint32_t order = ceil_order(count);
  std::optional<Frame> frame;
  Shortage shortage{.arrivals = arrivals_};
  if (admit() && order <= kMaxOrder) {
    do {
      frame = take(order);
    } while (!frame && has_more(bytes, shortage));
  }
  account(frame ? Outcome::kServed : Outcome::kRefused);
  if (!frame) return Error(Errno::kNoMem);
  give(*frame + count, (Frame{1} << order) - count);
  const PhysExtent extent = extent_of(*frame, count);
  set_owner(extent, owner);
  return extent;
}

Result<Extents> FrameAllocator::alloc_extents(std::uint64_t bytes, std::uint64_t min_piece,
                                              OwnerId owner) {
  PANTRY_CHECK(std::has_single_bit(min_piece) && min_piece >= kPageSize);
  const bool scatter = options_.placement == Placement::kScatter;
  const std::uint32_t min_order = std::min(floor_order(min_piece / kPageSize), kMaxOrder);
  std::uint64_t left = frames_of(bytes);
  Extents extents;
  bool possible = admit();
  std::uint32_t order = kMaxOrder;
  Shortage shortage{.arrivals = arrivals_};
  while (possible && left != 0) {
    const std::optional<PhysExtent> piece =
        scatter ? take_one_at_random() : take_piece(left, min_order, order);
    if (!piece) {
      possible = has_more(left * kPageSize, shortage);
      order = kMaxOrder;
    } else if (!append(extents, *piece, options_.placement, faults_)) {
      give(piece->start.value / kPageSize, piece->size / kPageSize);
      possible = false;
    } else {
      left -= piece->size / kPageSize;
    }
  }
  if (!possible) {
    for (const PhysExtent& extent : extents)
      give(extent.start.value / kPageSize, extent.size / kPageSize);
  }
  account(possible ? Outcome::kServed : Outcome::kRefused);
  if (!possible) return Error(Errno::kNoMem);
  for (const PhysExtent& extent : extents) set_owner(extent, owner);
  return extents;
}

void FrameAllocator::free(PhysExtent extent) noexcept {
  set_owner(extent, {0});
  give(extent);
}

void FrameAllocator::give(PhysExtent extent) {
  check_outside_section();
  const std::uint64_t count = frames_of(extent.size);
  const Frame first = extent.start.value / kPageSize;
  PANTRY_CHECK(is_aligned(extent.start.value, kPageSize) && first >= first_ &&
               count <= end_ - first_ && first - first_ <= end_ - first_ - count);
  give(first, count);
}

void FrameAllocator::free(std::span<const PhysExtent> extents) noexcept {
  for (const PhysExtent& extent : extents) free(extent);
}

void FrameAllocator::set_owner(PhysExtent extent, OwnerId owner) noexcept {
  if (options_.owner) options_.owner->changed(extent, owner.value);
}

FrameStatistics FrameAllocator::statistics() const {
  MutexLock lock(mutex_);
  return statistics_;
}

// Whether an allocation may go on: not inside a section, and not chosen to fail.
bool FrameAllocator::admit() {
  check_outside_section();
  return !faults_.should_fail();
}

// Whether it is worth trying again. No lock is held.
bool FrameAllocator::has_more(std::uint64_t bytes, Shortage& shortage) {
  if (bytes > range_.size) return false;
  if (await_expected(shortage)) return true;
  Reclaimer* const reclaimer = reclaimer_;
  if (!reclaimer || NoReclaim::active() || shortage.reclaims == kReclaims) return false;
  ++shortage.reclaims;
  shortage.awaited.reset();  // it may let go of the last that holds a buffer
  return reclaimer->reclaim(bytes) != 0;
}

// False: all that were expected when frames ran short have come, or the caller may not wait.
bool FrameAllocator::await_expected(Shortage& shortage) {
  MutexLock lock(mutex_);
  if (!shortage.awaited) shortage.awaited = arrivals_ + expected_;
  if (shortage.arrivals == *shortage.awaited) return false;
  if (arrivals_ == shortage.arrivals && WorkLane::in_item_that_may_not_wait()) return false;
  // There is one to come: each of those that were expected arrives.
  while (arrivals_ == shortage.arrivals) arrived_.wait(mutex_);
  shortage.arrivals = std::min(arrivals_.load(), *shortage.awaited);
  return true;
}

void FrameAllocator::expect(std::span<const PhysExtent> extents) noexcept {
  for (const PhysExtent& extent : extents) set_owner(extent, {0});
  MutexLock lock(mutex_);
  ++expected_;
}

void FrameAllocator::free_expected(std::span<const PhysExtent> extents) noexcept {
  for (const PhysExtent& extent : extents) give(extent);
  MutexLock lock(mutex_);
  PANTRY_CHECK(expected_ != 0);
  --expected_;
  ++arrivals_;
  arrived_.notify_all();
}

void FrameAllocator::account(Outcome outcome) {
  MutexLock lock(mutex_);
  ++(outcome == Outcome::kServed ? statistics_.allocations : statistics_.failures);
  statistics_.peak_used = std::max(statistics_.peak_used, statistics_.used);
}

std::optional<FrameAllocator::Frame> FrameAllocator::take(std::uint32_t order) {
  MutexLock lock(mutex_);
  for (std::uint32_t from = order; from <= kMaxOrder; ++from) {
    if (heads_[from] == 0) continue;
    const Frame frame = first_ + heads_[from] - 1;
    carve({frame, from}, frame, order);
    return frame;
  }
  return std::nullopt;
}

// At most `frames` of them: what is left of less than a block of 2 MiB in one piece if possible,
// else the largest block that fits. `order` is that of the last piece; larger ones have run out.
std::optional<PhysExtent> FrameAllocator::take_piece(std::uint64_t frames, std::uint32_t min_order,
                                                     std::uint32_t& order) {
  if (frames < kBlockFrames) {
    // Out of a block whose rest goes straight back.
    const std::uint32_t around = ceil_order(frames);
    if (const std::optional<Frame> frame = take(around)) {
      give(*frame + frames, (Frame{1} << around) - frames);
      return extent_of(*frame, frames);
    }
  }
  for (order = std::min(order, floor_order(frames)); order >= min_order; --order) {
    if (const std::optional<Frame> frame = take(order)) return extent_of(*frame, Frame{1} << order);
    if (order == 0) break;
  }
  return std::nullopt;
}

std::optional<PhysExtent> FrameAllocator::take_one_at_random() {
  const std::optional<Frame> frame = take_at_random();
  if (!frame) return std::nullopt;
  return extent_of(*frame, 1);
}

std::optional<FrameAllocator::Frame> FrameAllocator::take_at_random() {
  MutexLock lock(mutex_);
  // Memory is seldom so full that none of these hits; if it is, any free frame will do.
  for (std::uint32_t attempt = 0; attempt < 32; ++attempt) {
    const Frame frame = first_ + random_() % (end_ - first_);
    if (const std::optional<Block> block = free_block_around(frame)) {
      carve(*block, frame, 0);
      return frame;
    }
  }
  for (std::uint32_t order = 0; order <= kMaxOrder; ++order) {
    if (heads_[order] == 0) continue;
    const Frame frame = first_ + heads_[order] - 1;
    carve({frame, order}, frame, 0);
    return frame;
  }
  return std::nullopt;
}

void FrameAllocator::give(Frame first, std::uint64_t count) {
  MutexLock lock(mutex_);
  release(first, count);
}

void FrameAllocator::push(Block block) {
  const auto index = static_cast<std::uint32_t>(block.frame - first_);
  std::uint32_t& head = heads_[block.order];
  links_[index] = {head, 0};
  if (head != 0) links_[head - 1].previous = index + 1;
  head = index + 1;
  free_order_[index] = static_cast<std::uint8_t>(block.order + 1);
  ++statistics_.free_blocks[block.order];
}

void FrameAllocator::unlink(Block block) {
  const auto index = static_cast<std::uint32_t>(block.frame - first_);
  const Links links = links_[index];
  (links.previous != 0 ? links_[links.previous - 1].next : heads_[block.order]) = links.next;
  if (links.next != 0) links_[links.next - 1].previous = links.previous;
  free_order_[index] = 0;
  --statistics_.free_blocks[block.order];
}

std::optional<FrameAllocator::Block> FrameAllocator::free_block_around(Frame frame) const {
  if (allocated_.test(frame - first_)) return std::nullopt;
  for (std::uint32_t order = 0; order <= kMaxOrder; ++order) {
    const Frame start = align_down(frame, Frame{1} << order);
    if (start >= first_ && free_order_[start - first_] == order + 1) return Block{start, order};
  }
  check_failed(__FILE__, __LINE__, "a frame that is not allocated is in a free block");
}

// Takes the aligned block of `order` at `frame` out of the free block that holds it; what is left
// over of that stays free, in halves, quarters and so on.
void FrameAllocator::carve(Block block, Frame frame, std::uint32_t order) {
  unlink(block);
  while (block.order > order) {
    --block.order;
    const Frame half = Frame{1} << block.order;
    if (frame >= block.frame + half) {
      push(block);
      block.frame += half;
    } else {
      push({block.frame + half, block.order});
    }
  }
  const std::uint64_t count = Frame{1} << order;
  const bool was_free = allocated_.set(frame - first_, count);
  PANTRY_CHECK(was_free);
  statistics_.free -= count;
  statistics_.used += count;
}

// Frees a run of allocated frames as the largest aligned blocks it consists of: frames 5 to 12 are
// 5, 6-7, 8-11, 12.
void FrameAllocator::release(Frame first, std::uint64_t count) {
  if (count == 0) return;
  const bool was_allocated = allocated_.clear(first - first_, count);
  PANTRY_CHECK(was_allocated);
  statistics_.free += count;
  statistics_.used -= count;
  while (count != 0) {
    const std::uint32_t order = std::min(
        {static_cast<std::uint32_t>(std::countr_zero(first)), floor_order(count), kMaxOrder});
    merge_and_push({first, order});
    first += Frame{1} << order;
    count -= Frame{1} << order;
  }
}

void FrameAllocator::merge_and_push(Block block) {
  while (block.order < kMaxOrder) {
    const Frame size = Frame{1} << block.order;
    const Frame buddy = block.frame ^ size;
    if (buddy < first_ || buddy + size > end_) break;
    if (free_order_[buddy - first_] != block.order + 1) break;
    unlink({buddy, block.order});
    block = {std::min(block.frame, buddy), block.order + 1};
  }
  push(block);
}

}  // namespace pantry::driver
