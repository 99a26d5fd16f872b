// SPDX-License-Identifier: MIT
//
// Whose turn it is, among the threads of the server, to do its socket work. The thread that has the
// turn lends it out while it serves a request. When that takes longer than patience(), another
// thread takes it: so a request that takes long, or never ends, delays nobody; and many at a time
// delay others less and less each, a few milliseconds in all and some 0.1 ms for each more.
//
// Two atomic operations a request. The thread that waits looks every patience(), and sleeps when no
// request has come for a while. The next request wakes it, which costs some 25 us where that
// interrupts a processor that has halted.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/mutex.h"
#include "base/signalling.h"
#include "base/types.h"

namespace pantry::uapi {

class Turn {
 public:
  // A request loses the turn after one to two patience()s: half of it for each that has lost it and
  // is not done, down to a part.
  static constexpr Duration kPatience = milliseconds(2);
  static constexpr unsigned kMostHalvings = 5;
  Duration patience() const {
    return Duration{kPatience.ns >> std::min(late_.load(), kMostHalvings)};
  }
  // Without a request, until who waits sleeps.
  static constexpr Duration kIdle = kPatience * 64;

  // For the thread that has the turn (the first one has it from the beginning): begins a loan.
  std::uint64_t lend() {
    const std::uint64_t loan = loans_.fetch_add(1) + 1;
    if (asleep_.load()) wake();
    return loan;
  }
  // Ends it. False: another thread has the turn now.
  bool regain(std::uint64_t loan) {
    if (loans_.compare_exchange_strong(loan, loan + 1)) return true;
    late_.fetch_sub(1);
    return false;
  }

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
  bool take(std::uint64_t loans);

  std::atomic<std::uint64_t> loans_{0};
  std::atomic<unsigned> late_{0};    // that have lost the turn, and not come back
  std::atomic<bool> asleep_{false};  // who waits is, until the next loan
  Mutex mutex_;
  CondVar called_, gone_;  // who waits
  bool waiting_ PANTRY_GUARDED_BY(mutex_) = false;
  bool dismissed_ PANTRY_GUARDED_BY(mutex_) = false;  // who waits
  bool stopped_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace pantry::uapi
