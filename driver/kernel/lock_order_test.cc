// SPDX-License-Identifier: MIT
#include "driver/kernel/lock_order.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/mutex.h"
#include "driver/kernel/signalling.h"
#include "driver/kernel/work.h"

namespace pantry::driver {
namespace {

#if PANTRY_THREAD_SANITIZER

// Keeps the compiler from leaving the allocation out.
int* volatile sink;

// Neither order of these two calls deadlocks here and now; only the lock graph shows that they
// could.
void allocate_under(Mutex& mutex) {
  MutexLock lock(mutex);
  sink = new int(1);
  delete sink;
}

void lock_in_section(Mutex& mutex) {
  WorkLane lane("idle", WorkLane::Items::kMayWait);
  Cleanup cleanup(lane);
  SignallingSection section(cleanup);
  MutexLock lock(mutex);
}

TEST(LockOrderDeathTest, AMutexHeldAcrossAllocationAndTakenInASection) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Mutex mutex;
        allocate_under(mutex);
        lock_in_section(mutex);
      },
      "lock-order-inversion");
  EXPECT_DEATH(
      {
        Mutex mutex;
        lock_in_section(mutex);
        allocate_under(mutex);
      },
      "lock-order-inversion");
}

TEST(LockOrder, TwoMutexesAreNotMixedUp) {
  Mutex across_allocation;
  Mutex in_section;
  allocate_under(across_allocation);
  lock_in_section(in_section);
}

#endif

}  // namespace
}  // namespace pantry::driver
