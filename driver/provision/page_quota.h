// SPDX-License-Identifier: MIT
//
// A bound on the table pages that the pending binds of one VM hold: those that were laid in for
// binds which are accepted and have not run. Charged by TableReserve::grow before it takes pages,
// uncharged when the bind has run and what it did not use is back in the pool, or when its plan is
// dropped. So a client that queues binds behind a fence which does not signal gets ENOMEM instead
// of the machine's memory.
//
// A single bind that needs more than the limit is admitted when nothing else is pending: no bind is
// impossible. So the pages held are at most the larger of the limit and of what one bind takes.
//
// Lock-free and allocates nothing; any context.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"

namespace pantry::driver {

class PageQuota {
 public:
  explicit PageQuota(std::uint64_t limit) : limit_(limit) {}
  // Everything is uncharged (CHECK).
  ~PageQuota() { PANTRY_CHECK(charged_.load(std::memory_order_relaxed) == 0); }
  PageQuota(const PageQuota&) = delete;
  PageQuota& operator=(const PageQuota&) = delete;

  // `pages` more for a bind that is charged with `held` already. False, and nothing is charged,
  // where that passes the limit and somebody else is pending.
  [[nodiscard]] bool charge(std::uint32_t held, std::uint32_t pages) noexcept {
    std::uint64_t charged = charged_.load(std::memory_order_relaxed);
    do {
      if (charged != held && charged + pages > limit_) return false;
    } while (!charged_.compare_exchange_weak(charged, charged + pages, std::memory_order_relaxed));
    std::uint64_t peak = peak_.load(std::memory_order_relaxed);
    while (peak < charged + pages &&
           !peak_.compare_exchange_weak(peak, charged + pages, std::memory_order_relaxed)) {
    }
    return true;
  }
  void uncharge(std::uint32_t pages) noexcept {
    const std::uint64_t before = charged_.fetch_sub(pages, std::memory_order_relaxed);
    PANTRY_CHECK(before >= pages);
  }

  std::uint64_t limit() const noexcept { return limit_; }
  std::uint64_t charged() const noexcept { return charged_.load(std::memory_order_relaxed); }
  std::uint64_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> charged_{0};
  std::atomic<std::uint64_t> peak_{0};
};

}  // namespace pantry::driver
