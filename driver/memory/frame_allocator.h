// SPDX-License-Identifier: MIT
//
// Hands out the frames of a range of DRAM: a buddy allocator, so that large requests get aligned 2
// MiB pieces (and larger) as long as there are any, which is what lets the page table use blocks.
//
// Invariant: every frame of the range is either in exactly one free block, or allocated; a block
// and its buddy are never both free. All metadata is allocated by the constructor: free never
// allocates. Frames are handed out as they are, not zeroed. Leaf lock: nothing but the FrameOwner
// port is called under it. Not inside a SignallingSection: run takes its pages from what prepare
// laid in.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/types.h"
#include "driver/kernel/signalling.h"
#include "driver/memory/allocation_faults.h"
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
  std::uint64_t allocations = 0;  // successful calls
  std::uint64_t failures = 0;
  std::array<std::uint64_t, kMaxFrameOrder.value + 1> free_blocks{};  // by order
};

class FrameAllocator {
 public:
  enum class Placement {
    kCompact,  // few, large extents
    kScatter,  // for tests: alloc_extents gives single frames in shuffled order, and no block
               // mapping is ever possible
  };
  struct Options {
    Placement placement = Placement::kCompact;
    std::uint64_t seed = 0;            // of kScatter's shuffle
    emu::FrameOwner* owner = nullptr;  // told of every change; may be null
  };

  // `range`: the part of DRAM to hand out, page-aligned at both ends. Allocates.
  explicit FrameAllocator(PhysExtent range, Options options);
  // CHECKs nothing: a report of what is still allocated is the owner's business (statistics()).
  ~FrameAllocator() = default;
  FrameAllocator(const FrameAllocator&) = delete;
  FrameAllocator& operator=(const FrameAllocator&) = delete;

  // One aligned block. ENOMEM.
  Result<PhysAddr> alloc(FrameOrder order, OwnerId owner) PANTRY_MAY_ALLOCATE;
  // `bytes` (a multiple of 4 KiB, not 0) in one piece, aligned to the power of two that holds it.
  // ENOMEM.
  Result<PhysExtent> alloc_contiguous(std::uint64_t bytes, OwnerId owner) PANTRY_MAY_ALLOCATE;
  // `bytes` (a multiple of 4 KiB, not 0) in few pieces, the large ones first and aligned to their
  // size, so that a piece of 2 MiB or more lies at a multiple of 2 MiB in the buffer too as long as
  // memory is not fragmented below that. No piece but the last is smaller than `min_extent_bytes`
  // (a power of two). ENOMEM, also when there is memory but only in smaller pieces.
  Result<Extents> alloc_extents(std::uint64_t bytes, std::uint64_t min_extent_bytes,
                                OwnerId owner) PANTRY_MAY_ALLOCATE;

  // Any part of what was allocated may be freed by itself. Allocates nothing. CHECKs that the
  // frames are allocated.
  void free(PhysExtent extent) noexcept PANTRY_MAY_ALLOCATE;
  void free(std::span<const PhysExtent> extents) noexcept PANTRY_MAY_ALLOCATE;

  // A number that no owner had before.
  OwnerId new_owner() noexcept { return {next_owner_.fetch_add(1, std::memory_order_relaxed)}; }
  // Tells the port that allocated frames change hands.
  void set_owner(PhysExtent extent, OwnerId owner) noexcept;

  AllocationFaults& faults() noexcept { return faults_; }
  FrameStatistics statistics() const;
  PhysExtent range() const { return range_; }

 private:
  using Frame = std::uint32_t;  // index into the range
  static constexpr Frame kNoFrame = UINT32_MAX;
  static constexpr std::uint8_t kNotFree = 0xff;
  struct Links {
    Frame next = kNoFrame;
    Frame previous = kNoFrame;
  };

  void push(Frame block, std::uint32_t order) PANTRY_REQUIRES(mutex_);
  void unlink(Frame block, std::uint32_t order) PANTRY_REQUIRES(mutex_);
  Frame take_block(std::uint32_t order) PANTRY_REQUIRES(mutex_);
  Frame take_anywhere() PANTRY_REQUIRES(mutex_);
  Frame take_exactly(Frame frame, Frame block, std::uint32_t order) PANTRY_REQUIRES(mutex_);
  void give_block(Frame block, std::uint32_t order) PANTRY_REQUIRES(mutex_);
  void give_run(Frame first, std::uint64_t count) PANTRY_REQUIRES(mutex_);
  void mark(Frame first, std::uint64_t count) PANTRY_REQUIRES(mutex_);
  bool fill(Extents& extents, std::uint64_t frames, std::uint32_t min_order)
      PANTRY_REQUIRES(mutex_);
  bool fill_scattered(Extents& extents, std::uint64_t frames) PANTRY_REQUIRES(mutex_);
  PhysExtent extent_of(Frame first, std::uint64_t count) const;
  void note(PhysExtent extent, OwnerId owner) PANTRY_REQUIRES(mutex_);

  const PhysExtent range_;
  const Options options_;
  const Frame frames_;
  std::atomic<std::uint64_t> next_owner_{1};
  AllocationFaults faults_;

  mutable Mutex mutex_;
  std::array<Frame, kMaxFrameOrder.value + 1> heads_ PANTRY_GUARDED_BY(mutex_);
  std::vector<Links> links_ PANTRY_GUARDED_BY(mutex_);  // of the first frame of a free block
  std::vector<std::uint8_t> free_order_
      PANTRY_GUARDED_BY(mutex_);  // of the first frame of a free block, else kNotFree
  std::vector<bool> allocated_ PANTRY_GUARDED_BY(mutex_);
  std::mt19937_64 shuffle_ PANTRY_GUARDED_BY(mutex_);
  FrameStatistics statistics_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::driver
