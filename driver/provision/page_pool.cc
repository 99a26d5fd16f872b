// SPDX-License-Identifier: MIT
#include "driver/provision/page_pool.h"

#include <algorithm>
#include <cstring>

namespace pantry::driver {

PagePool::PagePool(FrameAllocator& frames, emu::Dram dram)
    : frames_(frames), links_(dram), metadata_(dram), cached_(links_) {}

PagePool::~PagePool() {
  if (trim_lane_) trim_lane_->cancel(trim_work_);
  trim(0);
  PANTRY_CHECK(statistics().lent == 0);
}

void PagePool::trim_on(WorkLane& lane) {
  PANTRY_CHECK(!trim_lane_);
  trim_lane_ = &lane;
}

Result<PageList> PagePool::take(std::uint32_t pages) {
  PageList list(links_);
  if (faults().should_fail()) return Error(Errno::kNoMem);
  {
    MutexLock lock(mutex_);
    cached_.move(std::min(pages, cached_.count()), list);
    statistics_.cached = cached_.count();
    if (list.count() == pages) lend(pages);
  }
  if (list.count() != pages) PANTRY_TRY(complete(list, pages));
  const OwnerId owner = frames_.new_owner();
  list.for_each([&](PhysAddr page) { frames_.set_owner({page, kPageSize}, owner); });
  return list;
}

void PagePool::lend(std::uint32_t pages) noexcept {
  statistics_.taken += pages;
  statistics_.lent += pages;
  statistics_.peak_lent = std::max(statistics_.peak_lent, statistics_.lent);
}

// What the pool did not have comes from the frame allocator. On failure `list` is empty.
Result<> PagePool::complete(PageList& list, std::uint32_t pages) {
  const std::uint32_t missing = pages - list.count();
  PageList fresh(links_);
  const Result<> refilled = refill(fresh, missing);
  {
    MutexLock lock(mutex_);
    if (refilled) {
      list.splice(fresh);
      statistics_.fresh += missing;
      lend(pages);
    } else {
      cached_.splice(list);
    }
    statistics_.cached = cached_.count();
  }
  // Back to where they came from: when memory is short, others can make use of them.
  if (!refilled) free(std::move(fresh));
  return refilled;
}

// On failure the pages it got so far are on the list.
Result<> PagePool::refill(PageList& list, std::uint32_t pages) {
  for (; pages != 0; --pages) {
    PANTRY_TRY_ASSIGN(const PhysAddr page, frames_.alloc({0}, {0}));
    zero(page);
    list.push(page);
  }
  return {};
}

void PagePool::give_back(PageList pages, Content content) noexcept {
  pages.for_each([&](PhysAddr page) {
    frames_.set_owner({page, kPageSize}, {0});
    if (content == Content::kUsed) zero(page);
  });
  MutexLock lock(mutex_);
  statistics_.returned += pages.count();
  statistics_.lent -= pages.count();
  cached_.splice(pages);
  statistics_.cached = cached_.count();
  if (trim_lane_ && cached_.count() > kMaxCached) trim_lane_->queue(trim_work_);
}

void PagePool::trim_some() {
  PageList excess(links_);
  {
    MutexLock lock(mutex_);
    while (cached_.count() > kMaxCached && excess.count() < kTrimmedAtOnce)
      excess.push(cached_.pop());
    statistics_.cached = cached_.count();
    if (cached_.count() > kMaxCached) trim_lane_->queue(trim_work_);
  }
  free(std::move(excess));
}

void PagePool::renew(const PageList& pages) noexcept {
  const OwnerId owner = frames_.new_owner();
  pages.for_each([&](PhysAddr page) {
    frames_.set_owner({page, kPageSize}, owner);
    zero(page);
  });
}

std::uint64_t PagePool::trim(std::uint64_t keep) noexcept {
  PageList excess(links_);
  {
    MutexLock lock(mutex_);
    while (cached_.count() > keep) excess.push(cached_.pop());
    statistics_.cached = cached_.count();
  }
  const std::uint64_t pages = excess.count();
  free(std::move(excess));
  return pages;
}

void PagePool::free(PageList pages) noexcept {
  while (!pages.empty()) frames_.free({pages.pop(), kPageSize});
}

void PagePool::add(PageMagazine& magazine) noexcept {
  MutexLock lock(mutex_);
  magazines_.push_back(magazine);
}

void PagePool::remove(PageMagazine& magazine) noexcept {
  MutexLock lock(mutex_);
  magazines_.erase(magazines_.iterator_to(magazine));
}

PoolStatistics PagePool::statistics() const {
  MutexLock lock(mutex_);
  PoolStatistics now = statistics_;
  for (const PageMagazine& magazine : magazines_) {
    const std::uint64_t spare = std::min<std::uint64_t>(magazine.count(), now.lent);
    now.cached += spare;
    now.lent -= spare;
  }
  return now;
}

void PagePool::zero(PhysAddr page) noexcept {
  std::memset(links_.dram().at(page, kPageSize), 0, kPageSize);
}

}  // namespace pantry::driver
