// SPDX-License-Identifier: MIT
//
// Fault injection: makes the n-th allocation from now fail with ENOMEM, once. Every allocation of
// frames, of table pages and of the driver's prepare path passes through one of these, so that a
// test can fail each site in turn:
//
//   for (std::uint64_t n = 1;; ++n) { faults.fail_nth(n); run(); if (!faults.fired()) break; /*
//   check nothing leaked */ }
//
// Lock-free, allocates nothing. Unarmed it costs one relaxed load.
#pragma once

#include <atomic>
#include <cstdint>

namespace pantry::driver {

class AllocationFaults {
 public:
  // The next allocation is number 1. 0 disarms.
  void fail_nth(std::uint64_t n) noexcept {
    fired_.store(false, std::memory_order_relaxed);
    countdown_.store(n, std::memory_order_relaxed);
  }
  // Called once by each allocation, which fails when this says so.
  bool should_fail() noexcept {
    std::uint64_t left = countdown_.load(std::memory_order_relaxed);
    while (left != 0) {
      if (!countdown_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) continue;
      if (left != 1) return false;
      fired_.store(true, std::memory_order_relaxed);
      return true;
    }
    return false;
  }
  // Whether the allocation chosen by the last fail_nth has happened, and failed.
  bool fired() const noexcept { return fired_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> countdown_{0};
  std::atomic<bool> fired_{false};
};

}  // namespace pantry::driver
