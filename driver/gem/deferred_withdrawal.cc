// SPDX-License-Identifier: MIT
#include "driver/gem/deferred_withdrawal.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace pantry::driver {
namespace {

std::uint64_t bytes_of(const Extents& frames) {
  std::uint64_t bytes = 0;
  for (const PhysExtent& extent : frames) bytes += extent.size;
  return bytes;
}

}  // namespace

DeferredWithdrawal::DeferredWithdrawal(FrameAllocator& frames, Backing& backing)
    : frames_(frames), backing_(backing) {}

DeferredWithdrawal::~DeferredWithdrawal() {
  if (lane_) lane_->flush(*this);
}

void DeferredWithdrawal::start_on(WorkLane& lane) {
  PANTRY_CHECK(!lane_);
  rlimit descriptors{};
  PANTRY_CHECK(::getrlimit(RLIMIT_NOFILE, &descriptors) == 0);
  most_ = std::min<std::size_t>(kMost, descriptors.rlim_cur / kShareOfDescriptors);
  MutexLock lock(mutex_);
  waiting_.reserve(most_);
  under_way_.reserve(most_);
  lane_ = &lane;
}

bool DeferredWithdrawal::take(Extents& frames, OwnedFd& memfd) noexcept {
  if (!lane_ || bytes_of(frames) < kLeastBytes) return false;
  {
    MutexLock lock(mutex_);
    if (taken_ == most_) return false;
    ++taken_;
  }
  frames_.expect(frames);
  {
    MutexLock lock(mutex_);
    waiting_.push_back({std::move(frames), std::move(memfd)});
  }
  lane_->queue(*this);
  return true;
}

void DeferredWithdrawal::run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (waiting_.empty()) return;
      waiting_.swap(under_way_);
    }
    for (Withdrawn& next : under_way_) {
      {
        MutexLock lock(mutex_);
        --taken_;
      }
      backing_.withdraw(next.frames);
      // The host's memory as well, before as much can be taken again.
      next.memfd = OwnedFd();
      frames_.free_expected(next.frames);
    }
    under_way_.clear();
  }
}

}  // namespace pantry::driver
