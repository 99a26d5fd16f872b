// SPDX-License-Identifier: MIT
//
// Takes the memory of destroyed buffers away on a lane of its own. Undoing the mappings of 512 MiB
// that were touched, and closing their memfd, takes the host 0.1 s; and the thread that drops the
// last reference may be one that serves other clients.
//
// The frames go back to the allocator when nothing is at them any more. Until then an allocation
// that lacks frames waits for them instead of failing (FrameAllocator::expect). In the order in
// which they came: that of a client is not put off for those of others that came later.
//
// Any thread; a leaf lock. Not inside a SignallingSection.
#pragma once

#include <cstddef>
#include <vector>

#include "base/mutex.h"
#include "driver/gem/backing.h"
#include "driver/kernel/work.h"
#include "driver/memory/frame_allocator.h"

namespace pantry::driver {

class DeferredWithdrawal final : private Work {
 public:
  DeferredWithdrawal(FrameAllocator& frames, Backing& backing);
  // Waits for what it has taken.
  ~DeferredWithdrawal();

  // From now on buffers are withdrawn on `lane`, which outlives this; until then none is taken.
  // Once. Throws std::bad_alloc.
  void start_on(WorkLane& lane) PANTRY_MAY_ALLOCATE;
  // Takes over what a buffer had, unless that is little or there is much to do already: then the
  // caller withdraws it. Allocates nothing.
  bool take(Extents& frames, OwnedFd& memfd) noexcept PANTRY_MAY_ALLOCATE;

  // What takes less costs less than to wake a thread.
  static constexpr std::uint64_t kLeastBytes = 256 * kKiB;
  // How many it has at once: each keeps a descriptor that nobody pays for any more. Of the host's,
  // as many as the share, but no more than kMost.
  static constexpr std::size_t kMost = 4096;
  static constexpr std::size_t kShareOfDescriptors = 8;

 private:
  struct Withdrawn {
    Extents frames;
    OwnedFd memfd;
  };
  void run() override PANTRY_MAY_ALLOCATE;

  FrameAllocator& frames_;
  Backing& backing_;
  WorkLane* lane_ = nullptr;
  std::size_t most_ = 0;
  Mutex mutex_;
  std::size_t taken_ PANTRY_GUARDED_BY(mutex_) = 0;  // or about to be
  std::vector<Withdrawn> waiting_ PANTRY_GUARDED_BY(mutex_);
  std::vector<Withdrawn> under_way_;  // of run()
};

}  // namespace pantry::driver
