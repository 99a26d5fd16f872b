// SPDX-License-Identifier: MIT
#include "driver/kernel/clock.h"

#include <gtest/gtest.h>

namespace pantry::driver {
namespace {

// Time that moves by sleeping only, and a device that is clocked by a script.
class ManualClock final : public Clock {
 public:
  TimePoint now() noexcept override { return now_; }
  void sleep(Duration duration) noexcept override {
    now_ = now_ + duration;
    ++sleeps;
  }
  int sleeps = 0;

 private:
  TimePoint now_{1'000'000};
};

class Heartbeat final : public DeviceHeartbeat {
 public:
  std::uint64_t slices() const noexcept override { return slices_; }
  void request_slice() noexcept override {
    ++requests;
    if (answers) ++slices_;
  }
  bool answers = true;
  int requests = 0;

 private:
  std::uint64_t slices_ = 7;
};

TEST(Clock, PollReturnsAtOnceWhenTheConditionHolds) {
  ManualClock clock;
  EXPECT_TRUE(clock.poll([] { return true; }, microseconds(10), milliseconds(1)));
  EXPECT_EQ(clock.sleeps, 0);
}

TEST(Clock, PollTestsOncePerStepAndOnceAtTheEnd) {
  ManualClock clock;
  int tests = 0;
  EXPECT_FALSE(clock.poll([&] { return ++tests < 0; }, microseconds(100), milliseconds(1)));
  EXPECT_EQ(clock.sleeps, 10);
  EXPECT_EQ(tests, 12);
}

TEST(Clock, ALimitAlsoNeedsTheDeviceToHaveRun) {
  ManualClock clock;
  Heartbeat heartbeat;
  clock.set_heartbeat(&heartbeat);
  HardwareLimit limit(clock, milliseconds(100));
  clock.sleep(milliseconds(99));
  EXPECT_FALSE(limit.expired());
  EXPECT_EQ(heartbeat.requests, 0);  // its time has not passed
  clock.sleep(milliseconds(1));
  for (std::uint64_t i = 0; i < Clock::kSlicesPerLimit; ++i) EXPECT_FALSE(limit.expired()) << i;
  EXPECT_TRUE(limit.expired());
  EXPECT_EQ(heartbeat.requests, 50);
}

TEST(Clock, ALimitNeverExpiresWhileTheDeviceIsNotClocked) {
  ManualClock clock;
  Heartbeat heartbeat;
  heartbeat.answers = false;
  clock.set_heartbeat(&heartbeat);
  HardwareLimit limit(clock, milliseconds(100));
  for (int i = 0; i < 1000; ++i) {
    clock.sleep(seconds(1));
    EXPECT_FALSE(limit.expired());
  }
}

TEST(Clock, PollSucceedsLateOnALoadedMachine) {
  ManualClock clock;
  Heartbeat heartbeat;
  heartbeat.answers = false;
  clock.set_heartbeat(&heartbeat);
  int tests = 0;
  EXPECT_TRUE(clock.poll([&] { return ++tests == 5000; }, microseconds(100), milliseconds(100)));
}

}  // namespace
}  // namespace pantry::driver
