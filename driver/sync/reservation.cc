// SPDX-License-Identifier: MIT
#include "driver/sync/reservation.h"

#include <algorithm>
#include <new>

#include "base/check.h"
#include "driver/sync/fence_merge.h"

namespace pantry::driver {

Result<> Reservation::reserve(std::uint32_t count) {
  std::vector<Entry> larger;  // afterwards the old entries, freed without the lock
  for (;;) {
    std::size_t needed;
    {
      MutexLock lock(mutex_);
      if (entries_.size() + reserved_ + count <= entries_.capacity()) {
        reserved_ += count;
        return {};
      }
      needed = pending() + reserved_ + count;
      if (needed <= larger.capacity()) {
        for (Entry& entry : entries_)
          if (!entry.fence->signalled()) larger.push_back(std::move(entry));
        entries_.swap(larger);
        reserved_ += count;
        return {};
      }
    }
    // Twice what is needed, so that sweeping out costs O(1) for each fence.
    try {
      larger.reserve(2 * needed);
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
  }
}

std::size_t Reservation::pending() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      entries_, [](const Entry& entry) { return !entry.fence->signalled(); }));
}

void Reservation::unreserve(std::uint32_t count) noexcept {
  MutexLock lock(mutex_);
  PANTRY_CHECK(count <= reserved_);
  reserved_ -= count;
}

void Reservation::add(Ref<Fence> fence, Use use) noexcept {
  MutexLock lock(mutex_);
  PANTRY_CHECK(reserved_ != 0);
  --reserved_;
  entries_.push_back({std::move(fence), use});
}

bool Reservation::idle(Use weakest) const noexcept {
  MutexLock lock(mutex_);
  return std::ranges::all_of(entries_, [=](const Entry& entry) {
    return entry.use > weakest || entry.fence->signalled();
  });
}

Result<Ref<Fence>> Reservation::merged(Use weakest) const {
  std::vector<Ref<Fence>> fences;
  for (;;) {
    std::size_t needed;
    {
      MutexLock lock(mutex_);
      needed = entries_.size();
      if (needed <= fences.capacity()) {
        for (const Entry& entry : entries_)
          if (entry.use <= weakest) fences.push_back(entry.fence);
        break;
      }
    }
    try {
      fences.reserve(needed);
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
  }
  return merge(fences);
}

Reservation::View Reservation::view() const noexcept {
  MutexLock lock(mutex_);
  return {static_cast<std::uint32_t>(entries_.size()), static_cast<std::uint32_t>(reserved_)};
}

}  // namespace pantry::driver
