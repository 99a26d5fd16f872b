// SPDX-License-Identifier: MIT
//
// For tests: a hypervisor that knows which pages the device may see, refuses what makes no sense
// (sharing twice, unsharing what is not shared, twice the same page in a batch) and whatever else a
// test tells it to, and counts its calls. Any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>

#include "driver/iopgtable/hypervisor.h"

namespace pantry::driver {

class ModelHypervisor final : public Hypervisor {
 public:
  std::size_t share(std::span<const PhysAddr> pages) noexcept override {
    const std::lock_guard lock(mutex_);
    ++share_calls_;
    std::size_t done = 0;
    for (; done < pages.size() && shared_.size() < most_; ++done)
      if (!shared_.insert(pages[done].value).second) {
        ++mistakes_;
        break;
      }
    return done;
  }
  std::size_t unshare(std::span<const PhysAddr> pages) noexcept override {
    const std::lock_guard lock(mutex_);
    ++unshare_calls_;
    std::size_t done = 0;
    for (; done < pages.size() && !kept_.contains(pages[done].value); ++done)
      if (shared_.erase(pages[done].value) == 0) {
        ++mistakes_;
        break;
      }
    return done;
  }

  // The device would be let through to `page`.
  bool device_sees(PhysAddr page) const {
    const std::lock_guard lock(mutex_);
    return shared_.contains(page.value);
  }
  std::size_t shared() const {
    const std::lock_guard lock(mutex_);
    return shared_.size();
  }
  // No more than so many pages at a time are shared.
  void limit(std::size_t most) { most_ = most; }
  // Never unshares that one: the device pins it, say.
  void keep(PhysAddr page) { kept_.insert(page.value); }

  std::uint32_t share_calls() const { return share_calls_; }
  std::uint32_t unshare_calls() const { return unshare_calls_; }
  // What a correct driver does not ask for.
  std::uint32_t mistakes() const { return mistakes_; }

 private:
  mutable std::mutex mutex_;
  std::set<std::uint64_t> shared_;
  std::set<std::uint64_t> kept_;
  std::size_t most_ = SIZE_MAX;
  std::uint32_t share_calls_ = 0;
  std::uint32_t unshare_calls_ = 0;
  std::uint32_t mistakes_ = 0;
};

}  // namespace pantry::driver
