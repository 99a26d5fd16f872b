// SPDX-License-Identifier: MIT
//
// Hands out the frames of a range of DRAM: a buddy allocator, so that large requests get aligned 2
// MiB pieces (and larger) as long as there are any, which is what lets the page table use blocks.
//
// Invariant: every frame of the range is either in exactly one free block, or allocated; a block
// and its buddy are never both free. All metadata is allocated by the constructor: free never
// allocates. Frames are handed out as they are, not zeroed. Leaf lock, held for single blocks only:
// nothing is called or allocated under it. Not inside a SignallingSection (traps): run takes its
// pages from what prepare laid in.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/types.h"
#include "driver/kernel/signalling.h"
#include "driver/memory/allocation_faults.h"
#include "driver/memory/frame_bitmap.h"
#include "driver/memory/reclaimer.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

using Extents = std::vector<PhysExtent>;

// Whom the FrameOwner port is told a frame belongs to; 0 is nobody.
struct OwnerId {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const OwnerId&) const = default;
};

// A block of 2^order frames, aligned to its size: order 0 is 4 KiB, 9 is 2 MiB, 18 is 1 GiB.
struct FrameOrder {
  std::uint32_t value = 0;
  constexpr auto operator<=>(const FrameOrder&) const = default;
  constexpr std::uint64_t bytes() const { return kPageSize << value; }
};
inline constexpr FrameOrder kMaxFrameOrder{18};

struct FrameStatistics {
  std::uint64_t total = 0;  // frames
  std::uint64_t free = 0;
  std::uint64_t used = 0;
  std::uint64_t peak_used = 0;
  std::uint64_t allocations = 0;                                      // calls that succeeded
  std::uint64_t failures = 0;                                         // calls that did not
  std::array<std::uint64_t, kMaxFrameOrder.value + 1> free_blocks{};  // by order
};

class FrameAllocator {
 public:
  enum class Placement {
    kCompact,  // few, large extents
    kScatter,  // for tests: alloc and alloc_extents take frames at random, one by one, so that no
               // block mapping is possible
  };
  struct Options {
    Placement placement = Placement::kCompact;
    std::uint64_t seed = 0;  // of kScatter
    // Told of every change, on the calling thread and with no lock held; may be null.
    emu::FrameOwner* owner = nullptr;
  };

  // `range`: the part of DRAM to hand out, page-aligned at both ends. Allocates.
  explicit FrameAllocator(PhysExtent range, Options options);
  FrameAllocator(const FrameAllocator&) = delete;
  FrameAllocator& operator=(const FrameAllocator&) = delete;

  // Who is asked before an allocation fails for lack of frames, at most kReclaims times for each.
  // Outlives its being set; null: nobody, as at first. Any thread.
  void set_reclaimer(Reclaimer* reclaimer) noexcept { reclaimer_ = reclaimer; }
  static constexpr unsigned kReclaims = 16;

  // One aligned block. ENOMEM.
  Result<PhysAddr> alloc(FrameOrder order, OwnerId owner) PANTRY_MAY_ALLOCATE;
  // `bytes` (a multiple of 4 KiB, not 0) in one piece, aligned to the power of two that holds it.
  // ENOMEM.
  Result<PhysExtent> alloc_contiguous(std::uint64_t bytes, OwnerId owner) PANTRY_MAY_ALLOCATE;
  // `bytes` (a multiple of 4 KiB, not 0) in few pieces, in falling size and each aligned to its
  // size, so that as long as memory is not fragmented, a 2 MiB stretch of the buffer at a multiple
  // of 2 MiB lies at one in DRAM too. No piece but the last is smaller than `min_piece` (a power of
  // two, 4 KiB and up). ENOMEM, also when there is memory but only in smaller pieces.
  Result<Extents> alloc_extents(std::uint64_t bytes, std::uint64_t min_piece,
                                OwnerId owner) PANTRY_MAY_ALLOCATE;

  // Any part of what was allocated may be freed by itself. Allocates nothing. CHECKs that the
  // frames are allocated.
  void free(PhysExtent extent) noexcept PANTRY_MAY_ALLOCATE;
  void free(std::span<const PhysExtent> extents) noexcept PANTRY_MAY_ALLOCATE;

  // `extents` are nobody's any more, but still to be freed, by a thread that waits for no fence:
  // until it has called free_expected, an allocation that lacks frames waits for them before it
  // asks the reclaimer; not for those that are expected only when it waits already, so that clients
  // who keep returning frames hold up no refusal. Allocates nothing.
  void expect(std::span<const PhysExtent> extents) noexcept;
  void free_expected(std::span<const PhysExtent> extents) noexcept PANTRY_MAY_ALLOCATE;

  // A number that no owner had before.
  OwnerId new_owner() noexcept { return {next_owner_.fetch_add(1, std::memory_order_relaxed)}; }
  // Tells the port that allocated frames change hands. Allowed anywhere.
  void set_owner(PhysExtent extent, OwnerId owner) noexcept;

  AllocationFaults& faults() noexcept { return faults_; }
  FrameStatistics statistics() const;
  PhysExtent range() const { return range_; }

 private:
  // A frame's physical address / 4 KiB, so that buddies are aligned in DRAM; `frame - first_`
  // indexes the vectors.
  using Frame = std::uint64_t;
  struct Links {
    std::uint32_t next = 0;  // index + 1; 0 is none
    std::uint32_t previous = 0;
  };
  struct Block {
    Frame frame;
    std::uint32_t order;
  };

  // What one allocation has done for more frames.
  struct Shortage {
    std::uint64_t arrivals;  // that it has seen
    std::optional<std::uint64_t> awaited =
        std::nullopt;  // the last arrival that it waits for, once it is short
    unsigned reclaims = 0;
  };

  bool admit();
  bool has_more(std::uint64_t bytes, Shortage& shortage) PANTRY_MAY_ALLOCATE;
  bool await_expected(Shortage& shortage) PANTRY_MAY_WAIT;
  std::optional<Frame> take(std::uint32_t order);
  std::optional<Frame> take_at_random();
  std::optional<PhysExtent> take_piece(std::uint64_t frames, std::uint32_t min_order,
                                       std::uint32_t& order);
  std::optional<PhysExtent> take_one_at_random();
  void give(Frame first, std::uint64_t count);
  void give(PhysExtent extent) PANTRY_MAY_ALLOCATE;
  enum class Outcome { kServed, kRefused };
  void account(Outcome outcome);
  void push(Block block) PANTRY_REQUIRES(mutex_);
  void unlink(Block block) PANTRY_REQUIRES(mutex_);
  std::optional<Block> free_block_around(Frame frame) const PANTRY_REQUIRES(mutex_);
  void carve(Block block, Frame frame, std::uint32_t order) PANTRY_REQUIRES(mutex_);
  void release(Frame first, std::uint64_t count) PANTRY_REQUIRES(mutex_);
  void merge_and_push(Block block) PANTRY_REQUIRES(mutex_);
  static PhysExtent extent_of(Frame first, std::uint64_t count) {
    return {{first * kPageSize}, count * kPageSize};
  }

  const PhysExtent range_;
  const Options options_;
  const Frame first_;
  const Frame end_;
  std::atomic<std::uint64_t> next_owner_{1};
  AllocationFaults faults_;
  std::atomic<Reclaimer*> reclaimer_{nullptr};

  mutable Mutex mutex_;
  CondVar arrived_;
  std::uint64_t expected_ PANTRY_GUARDED_BY(mutex_) = 0;  // calls of expect that are not freed yet
  std::atomic<std::uint64_t> arrivals_{0};                // calls of free_expected, under the lock
  std::array<std::uint32_t, kMaxFrameOrder.value + 1> heads_
      PANTRY_GUARDED_BY(mutex_){};                      // as Links
  std::vector<Links> links_ PANTRY_GUARDED_BY(mutex_);  // of the first frame of a free block
  std::vector<std::uint8_t> free_order_
      PANTRY_GUARDED_BY(mutex_);  // of the same: order + 1; else 0
  FrameBitmap allocated_ PANTRY_GUARDED_BY(mutex_);
  std::mt19937_64 random_ PANTRY_GUARDED_BY(mutex_);
  FrameStatistics statistics_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::driver
