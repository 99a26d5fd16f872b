// SPDX-License-Identifier: MIT
#include "driver/iopgtable/hypervisor_shared_allocator.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/check.h"
#include "base/log.h"
#include "base/ref.h"

namespace pantry::driver {

HypervisorSharedAllocator::~HypervisorSharedAllocator() {
  PageChain ready;
  {
    MutexLock lock(mutex_);
    PANTRY_CHECK(out_ == 0 && freed_.empty());
    ready = ready_.take();
  }
  unshare(ready);
}

std::optional<PhysAddr> HypervisorSharedAllocator::take_ready() noexcept {
  MutexLock lock(mutex_);
  if (ready_.empty()) return std::nullopt;
  ++out_;
  return ready_.pop(metadata_);
}

std::uint32_t HypervisorSharedAllocator::ready() const noexcept {
  MutexLock lock(mutex_);
  return ready_.size();
}

Result<PhysAddr> HypervisorSharedAllocator::alloc(std::uint64_t bytes) noexcept {
  if (bytes != kPageSize) return Error(Errno::kInval);
  if (const auto page = take_ready()) return *page;
  if (DeadList::current()) return Error(Errno::kNoMem);  // in a section the world stays this one
  assert_not_signalling();
  // The allocator below may have nothing left only because others are sharing it at this moment.
  MutexLock lock(sharing_);
  for (;;) {
    if (const auto page = take_ready()) return *page;
    if (share_some(kBatch) == 0) return Error(Errno::kNoMem);
  }
}

void HypervisorSharedAllocator::free(PhysAddr page, std::uint64_t bytes) noexcept {
  PANTRY_CHECK(bytes == kPageSize);
  MutexLock lock(mutex_);
  PANTRY_CHECK(out_ != 0);
  --out_;
  freed_.push(metadata_, page);
}

Result<> HypervisorSharedAllocator::fill(std::uint32_t pages) noexcept {
  MutexLock lock(sharing_);
  for (;;) {
    const std::uint32_t now = ready();
    if (now >= pages) return {};
    if (share_some(pages - now) == 0) return Error(Errno::kNoMem);
  }
}

std::uint32_t HypervisorSharedAllocator::share_some(std::uint32_t pages) noexcept {
  std::array<PhysAddr, kBatch> batch;
  std::uint32_t taken = 0;
  while (taken < std::min(pages, kBatch)) {
    const Result<PhysAddr> page = below_.alloc(kPageSize);
    if (!page) break;
    batch[taken++] = *page;
  }
  if (taken == 0) return 0;
  const auto shared = static_cast<std::uint32_t>(hypervisor_.share(std::span(batch).first(taken)));
  PANTRY_CHECK(shared <= taken);
  if (shared != taken)
    log_error("driver/iopgtable", "the hypervisor shares {} of {} table pages", shared, taken);
  // Never seen by the device.
  for (std::uint32_t i = shared; i < taken; ++i) below_.free(batch[i], kPageSize);
  MutexLock lock(mutex_);
  for (std::uint32_t i = 0; i < shared; ++i) ready_.push(metadata_, batch[i]);
  return shared;
}

std::uint32_t HypervisorSharedAllocator::after_flush() noexcept {
  PageChain freed;
  {
    MutexLock lock(mutex_);
    freed = freed_.take();
  }
  return unshare(freed);
}

std::uint32_t HypervisorSharedAllocator::unshare(PageChain pages) noexcept {
  std::uint32_t given_back = 0;
  std::array<PhysAddr, kBatch> batch;
  while (!pages.empty()) {
    std::uint32_t taken = 0;
    while (taken < kBatch && !pages.empty()) batch[taken++] = pages.pop(metadata_);
    // A refusal ends a call, but says nothing about the pages behind the one refused.
    for (std::uint32_t at = 0; at < taken;) {
      const std::span<const PhysAddr> rest = std::span(batch).subspan(at, taken - at);
      const auto done = static_cast<std::uint32_t>(hypervisor_.unshare(rest));
      PANTRY_CHECK(done <= rest.size());
      for (const PhysAddr page : rest.first(done)) below_.free(page, kPageSize);
      given_back += done;
      at += done;
      if (at == taken) break;
      log_error("driver/iopgtable", "table page {:#x} cannot be unshared: quarantined",
                batch[at].value);
      ++at;
      MutexLock lock(mutex_);
      ++quarantined_;
    }
  }
  return given_back;
}

HypervisorSharedAllocator::Counts HypervisorSharedAllocator::counts() const {
  MutexLock lock(mutex_);
  return {out_, ready_.size(), freed_.size(), quarantined_};
}

}  // namespace pantry::driver
