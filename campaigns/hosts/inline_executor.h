// SPDX-License-Identifier: MIT
//
// An executor without threads: what is queued runs when pump() is called, on the caller's thread.
// For many small runs that are a function of their seed and cost no hand-over. Whoever waits for
// a lane here waits for ever, so it serves parts of the driver and no whole device.
#pragma once

#include "base/check.h"
#include "driver/kernel/executor.h"

namespace pantry::campaigns {

class InlineExecutor final : public driver::Executor {
 public:
  InlineExecutor() {
    // A lane that has been stopped serves what is queued and returns.
    for (driver::WorkLane& lane : lanes_) lane.stop();
  }
  driver::Clock& clock() override { return clock_; }
  driver::WorkLane& lane(driver::Lane lane) override {
    return lanes_[static_cast<std::size_t>(lane)];
  }
  void spawn(const char*, driver::ThreadBody&) override { PANTRY_CHECK(false); }
  void join_spawned() override {}

  // Runs what is queued, in the order of the lanes. Not from a work item.
  void pump() {
    for (driver::WorkLane& lane : lanes_) lane.serve();
  }

 private:
  // A step per look: nothing waits.
  class Counter final : public driver::Clock {
   public:
    TimePoint now() noexcept override { return {++now_}; }
    void sleep(Duration duration) noexcept override { now_ += duration.ns; }

   private:
    std::int64_t now_ = 0;
  };

  Counter clock_;
  driver::WorkLanes lanes_ = driver::new_work_lanes();
};

}  // namespace pantry::campaigns
