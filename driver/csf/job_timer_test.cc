// SPDX-License-Identifier: MIT
#include "driver/csf/job_timer.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/mutex.h"
#include "driver/kernel/each_executor.h"

namespace pantry::driver {
namespace {

// Virtual time, so that 5 s cost nothing.
class JobTimerTest : public ::testing::Test, private JobTimer::Listener {
  void on_job_timeout() noexcept override {
    MutexLock lock(mutex_);
    fired_at_ = executor.clock().now();
    ++calls_;
  }
  Mutex mutex_;
  std::optional<TimePoint> fired_at_ PANTRY_GUARDED_BY(mutex_);
  std::uint32_t calls_ PANTRY_GUARDED_BY(mutex_) = 0;

 protected:
  void advance(Duration time) { executor.clock().sleep(time); }
  TimePoint now() { return executor.clock().now(); }
  // When the timer called, in ms since `start`.
  std::optional<std::int64_t> fired_after(TimePoint start) {
    MutexLock lock(mutex_);
    if (!fired_at_) return std::nullopt;
    return (*fired_at_ - start).ns / 1'000'000;
  }
  std::uint32_t calls() {
    MutexLock lock(mutex_);
    return calls_;
  }

  SimExecutor executor{1, 1};
  JobTimer timer{executor, *this};
};

TEST_F(JobTimerTest, CallsOnceAfterFiveSeconds) {
  timer.set_count(JobTimer::Count::kRunning);
  const TimePoint start = now();
  timer.start();
  advance(milliseconds(4999));
  EXPECT_EQ(calls(), 0u);
  advance(milliseconds(30'000));
  EXPECT_EQ(fired_after(start), 5000);
  EXPECT_EQ(calls(), 1u);
}

TEST_F(JobTimerTest, EachJobGetsItsOwnTime) {
  timer.set_count(JobTimer::Count::kRunning);
  const TimePoint start = now();
  for (int i = 0; i < 4; ++i) {
    timer.start();
    advance(milliseconds(4000));
  }
  EXPECT_EQ(calls(), 0u);
  advance(milliseconds(3000));
  EXPECT_EQ(fired_after(start), 17'000);
}

TEST_F(JobTimerTest, ExpiredUntilTheNextJob) {
  timer.set_count(JobTimer::Count::kRunning);
  timer.start();
  EXPECT_FALSE(timer.expired());
  advance(milliseconds(5000));
  EXPECT_EQ(calls(), 1u);
  EXPECT_TRUE(timer.expired());
  timer.start();
  EXPECT_FALSE(timer.expired());
}

TEST_F(JobTimerTest, NobodyToTimeNoCall) {
  timer.set_count(JobTimer::Count::kRunning);
  timer.start();
  advance(milliseconds(4000));
  timer.stop();
  advance(milliseconds(20'000));
  EXPECT_EQ(calls(), 0u);
}

TEST_F(JobTimerTest, TimeWithoutASlotDoesNotCount) {
  const TimePoint start = now();
  timer.start();  // paused
  advance(milliseconds(60'000));
  EXPECT_EQ(calls(), 0u);
  timer.set_count(JobTimer::Count::kRunning);
  advance(milliseconds(2000));
  timer.set_count(JobTimer::Count::kPaused);
  advance(milliseconds(60'000));
  EXPECT_EQ(calls(), 0u);
  timer.set_count(JobTimer::Count::kRunning);
  advance(milliseconds(10'000));
  EXPECT_EQ(fired_after(start), 125'000) << "3 s were left";
}

}  // namespace
}  // namespace pantry::driver
