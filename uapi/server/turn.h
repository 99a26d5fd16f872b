// SPDX-License-Identifier: MIT
//
// Whose turn it is, among the threads of the server, to do its socket work. The thread that has the
// turn lends it out while it serves a request. When that takes longer than kPatience, another
// thread takes it: so a request that takes long, or never ends, delays nobody.
//
// Two atomic operations a request. The thread that waits looks every kPatience, and sleeps when no
// request has come for a while. The next request wakes it, which costs some 25 us where that
// interrupts a processor that has halted.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/mutex.h"
#include "base/signalling.h"
#include "base/types.h"

namespace pantry::uapi {

class Turn {
 public:
  // A request loses the turn after one to two of these.
  static constexpr Duration kPatience = milliseconds(2);
  // After so many looks without a request.
  static constexpr unsigned kIdleLooks = 64;

  // For the thread that has the turn (the first one has it from the beginning): begins a loan.
  std::uint64_t lend() {
    const std::uint64_t loan = loans_.fetch_add(1) + 1;
    if (asleep_.load()) wake();
    return loan;
  }
  // Ends it. False: another thread has the turn now.
  bool regain(std::uint64_t loan) { return loans_.compare_exchange_strong(loan, loan + 1); }

  // For one that has not: waits until it has. One that waits is enough: false, when another does so
  // already, or the first thread comes to wait instead; and once stop() was called.
  enum class Thread { kFirst, kOther };
  bool await(Thread thread) PANTRY_MAY_WAIT;
  // Whether there is a thread to take the turn.
  bool awaited();
  // Nobody gets the turn any more. By the thread that has it.
  void stop();

 private:
  // Odd: lent.
  static bool is_lent(std::uint64_t loans) { return loans % 2 != 0; }
  void wake();
  bool watch() PANTRY_REQUIRES(mutex_);

  std::atomic<std::uint64_t> loans_{0};
  std::atomic<bool> asleep_{false};  // who waits is, until the next loan
  Mutex mutex_;
  CondVar called_, gone_;  // who waits
  bool waiting_ PANTRY_GUARDED_BY(mutex_) = false;
  bool dismissed_ PANTRY_GUARDED_BY(mutex_) = false;  // who waits
  bool stopped_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace pantry::uapi
