// SPDX-License-Identifier: MIT
#include "driver/sync/reservation.h"

#include <algorithm>
#include <new>
#include <utility>

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

// Whoever would wait for `fence` waits already for one that signals no earlier.
bool Reservation::covers(const Fence& fence, Use use) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    return entry.fence->context() == fence.context() && entry.fence->seqno() >= fence.seqno() &&
           entry.use <= use;
  });
}

Reservation::Entry* Reservation::replaceable(const Fence& by, Use use) {
  const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
    return entry.fence->context() == by.context() && entry.fence->seqno() <= by.seqno() &&
           entry.use >= use;
  });
  return found == entries_.end() ? nullptr : &*found;
}

Result<> Reservation::admit(std::span<const Ref<Fence>> fences, Use use) {
  const auto count = static_cast<std::uint32_t>(fences.size());
  std::vector<Ref<Fence>> replaced;  // freed without the lock
  try {
    replaced.reserve(count);
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  PANTRY_TRY(reserve(count));
  MutexLock lock(mutex_);
  reserved_ -= count;
  for (const Ref<Fence>& fence : fences) {
    if (fence->signalled() || covers(*fence, use)) continue;
    if (Entry* const entry = replaceable(*fence, use)) {
      replaced.push_back(std::exchange(entry->fence, fence));
      entry->use = use;
    } else {
      entries_.push_back({fence, use});
    }
  }
  return {};
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
