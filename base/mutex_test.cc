// SPDX-License-Identifier: MIT
#include "base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace pantry {
namespace {

TimePoint monotonic_now() {
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(
              std::chrono::steady_clock::now().time_since_epoch())
              .count()};
}

TEST(Mutex, ExcludesOtherThreads) {
  Mutex mutex;
  long counter = 0;
  auto add = [&] {
    for (int i = 0; i < 20'000; ++i) {
      MutexLock lock(mutex);
      ++counter;
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(counter, 40'000);
}

TEST(CondVar, WaitEndsWithNotify) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread other([&] {
    MutexLock lock(mutex);
    ready = true;
    changed.notify_all();
  });
  {
    MutexLock lock(mutex);
    while (!ready) changed.wait(mutex);
  }
  other.join();
  EXPECT_TRUE(ready);
}

TEST(CondVar, WaitUntilReturnsFalseOnlyAfterTheDeadline) {
  Mutex mutex;
  CondVar changed;
  const TimePoint deadline = monotonic_now() + milliseconds(20);
  MutexLock lock(mutex);
  while (changed.wait_until(mutex, deadline)) {
  }
  EXPECT_GE(monotonic_now(), deadline);
}

}  // namespace
}  // namespace pantry
