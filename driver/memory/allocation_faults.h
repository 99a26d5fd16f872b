// SPDX-License-Identifier: MIT
//
// Fault injection: makes the n-th allocation from now fail with ENOMEM, once. Every allocation of
// frames and of table pages passes through the one of its device (FrameAllocator::faults); every
// operator new of a thread can be made to pass through the one of the thread (driver/heap_faults).
// So a test can fail each site in turn:
//
//   for (std::uint64_t n = 1;; ++n) {
//     faults.fail_nth(n);
//     run();
//     if (!faults.fired()) break;
//     ...  // where() says which it was; check that it failed and that nothing has changed
//   }
//
// Lock-free. Unarmed it costs one relaxed load. The allocation that fails notes its call stack,
// which may load the unwinder (call_stack.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "driver/kernel/call_stack.h"

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
      where_.capture();
      fired_.store(true, std::memory_order_release);
      return true;
    }
    return false;
  }
  // Whether the allocation chosen by the last fail_nth has happened, and failed.
  bool fired() const noexcept { return fired_.load(std::memory_order_acquire); }
  // Who asked for the allocation that failed; once fired().
  const CallStack& where() const noexcept { return where_; }

 private:
  std::atomic<std::uint64_t> countdown_{0};
  std::atomic<bool> fired_{false};
  CallStack where_;
};

}  // namespace pantry::driver
