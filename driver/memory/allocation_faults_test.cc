// SPDX-License-Identifier: MIT
#include "driver/memory/allocation_faults.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace pantry::driver {
namespace {

TEST(AllocationFaults, FailsTheNthOnceAndSaysSo) {
  AllocationFaults faults;
  EXPECT_FALSE(faults.should_fail());
  faults.fail_nth(3);
  EXPECT_FALSE(faults.should_fail());
  EXPECT_FALSE(faults.should_fail());
  EXPECT_FALSE(faults.fired());
  EXPECT_TRUE(faults.should_fail());
  EXPECT_TRUE(faults.fired());
  EXPECT_FALSE(faults.should_fail());
}

TEST(AllocationFaults, ZeroDisarms) {
  AllocationFaults faults;
  faults.fail_nth(1);
  faults.fail_nth(0);
  EXPECT_FALSE(faults.should_fail());
  EXPECT_FALSE(faults.fired());
}

TEST(AllocationFaults, OneOfManyThreadsIsHit) {
  AllocationFaults faults;
  faults.fail_nth(1000);
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) failures += faults.should_fail();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 1);
}

}  // namespace
}  // namespace pantry::driver
