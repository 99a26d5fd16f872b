// SPDX-License-Identifier: MIT
#include "driver/csf/job_timer.h"

#include <algorithm>

namespace pantry::driver {

JobTimer::JobTimer(Executor& executor, Listener& listener)
    : clock_(executor.clock()), lane_(executor.lane(Lane::kScheduler)), listener_(listener) {}

JobTimer::~JobTimer() { lane_.cancel(*this); }

void JobTimer::start() noexcept {
  MutexLock lock(mutex_);
  started_ = true;
  if (count_ == Count::kPaused) {
    left_ = kLimit;
    return;
  }
  deadline_ = clock_.now() + kLimit;
  if (!armed_) arm();
}

void JobTimer::stop() noexcept {
  MutexLock lock(mutex_);
  started_ = false;
}

bool JobTimer::expired() const noexcept {
  MutexLock lock(mutex_);
  return !started_;
}

void JobTimer::set_count(Count count) noexcept {
  MutexLock lock(mutex_);
  if (count == count_) return;
  count_ = count;
  if (!started_) return;
  if (count == Count::kPaused) {
    left_ = std::max(deadline_ - clock_.now(), Duration{});
  } else {
    deadline_ = clock_.now() + left_;
    arm();
  }
}

void JobTimer::arm() {
  armed_ = true;
  lane_.queue_at(*this, deadline_);
}

void JobTimer::run() {
  {
    MutexLock lock(mutex_);
    armed_ = false;
    if (!started_ || count_ == Count::kPaused) return;
    if (clock_.now() < deadline_) return arm();
    started_ = false;
  }
  listener_.on_job_timeout();
}

}  // namespace pantry::driver
