// SPDX-License-Identifier: MIT
#include "driver/kernel/work.h"

#include "base/check.h"
#include "base/thread_host.h"
#include "driver/kernel/signalling.h"

namespace pantry::driver {

thread_local constinit WorkLane::Running* WorkLane::running_here_ = nullptr;

Work::~Work() {
  if (WorkLane::Running* const running = WorkLane::running_here_;
      running && running->work == this) {
    PANTRY_CHECK(state_ == State::kRunning);
    running->work = nullptr;
    return;
  }
  PANTRY_CHECK(state_ == State::kIdle);
}

WorkLane::~WorkLane() {
  MutexLock lock(mutex_);
  PANTRY_CHECK(!ready_first_ && !delayed_first_ && running_ == 0);
}

void WorkLane::queue(Work& work) {
  MutexLock lock(mutex_);
  switch (work.state_) {
    case Work::State::kDelayed:
      unlink(work);
      append_ready(work);
      break;
    case Work::State::kIdle:
      append_ready(work);
      break;
    case Work::State::kRunning:
    case Work::State::kRunningDelayed:
      work.state_ = Work::State::kRunningQueued;
      break;
    case Work::State::kQueued:
    case Work::State::kRunningQueued:
      break;
  }
}

void WorkLane::queue_at(Work& work, TimePoint due) {
  MutexLock lock(mutex_);
  switch (work.state_) {
    case Work::State::kDelayed:
      unlink(work);
      insert_delayed(work, due);
      break;
    case Work::State::kIdle:
      insert_delayed(work, due);
      break;
    case Work::State::kRunning:
    case Work::State::kRunningDelayed:
      work.state_ = Work::State::kRunningDelayed;
      work.due_ = due;
      break;
    case Work::State::kQueued:
    case Work::State::kRunningQueued:
      break;
  }
}

void WorkLane::cancel(Work& work) {
  const bool own = running_here_ && running_here_->work == &work;
  MutexLock lock(mutex_);
  for (;;) {
    switch (work.state_) {
      case Work::State::kIdle:
        return;
      case Work::State::kQueued:
      case Work::State::kDelayed:
        unlink(work);
        work.state_ = Work::State::kIdle;
        if (waiters_ != 0) changed_.notify_all();
        return;
      case Work::State::kRunningQueued:
      case Work::State::kRunningDelayed:
        work.state_ = Work::State::kRunning;
        break;
      case Work::State::kRunning:
        break;
    }
    if (own) return;
    wait_for_change();
  }
}

void WorkLane::flush(Work& work) {
  PANTRY_CHECK(!running_here_ || running_here_->work != &work);
  MutexLock lock(mutex_);
  while (work.state_ != Work::State::kIdle && work.state_ != Work::State::kDelayed)
    wait_for_change();
}

void WorkLane::drain() {
  PANTRY_CHECK(!running_here_ || &running_here_->lane != this);
  MutexLock lock(mutex_);
  for (;;) {
    promote_due(current_time());
    if (!ready_first_ && running_ == 0) return;
    wait_for_change();
  }
}

bool WorkLane::in_item_that_may_not_wait() noexcept {
  return running_here_ && running_here_->lane.items_ == Items::kMayNotWait;
}

void WorkLane::serve() {
  MutexLock lock(mutex_);
  for (;;) {
    promote_due(current_time());
    if (ready_first_)
      run_next();
    else if (stopping_)
      return;
    else
      work_added_.wait_until(mutex_, delayed_first_ ? delayed_first_->due_ : TimePoint::never());
  }
}

void WorkLane::stop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  work_added_.notify_all();
}

void WorkLane::run_next() {
  Work& work = *ready_first_;
  unlink(work);
  work.state_ = Work::State::kRunning;
  ++running_;
  Running here{*this, &work};
  running_here_ = &here;
  // Whoever was woken for a timer or a second item may have taken this one instead.
  if (ready_first_ || delayed_first_) work_added_.notify_one();
  mutex_.unlock();
  work.run();
  PANTRY_CHECK(!SignallingSection::active());
  PANTRY_CHECK(Mutex::held_by_this_thread() == 0);
  mutex_.lock();
  running_here_ = nullptr;
  --running_;
  if (here.work) {
    const Work::State state = work.state_;
    work.state_ = Work::State::kIdle;
    if (state == Work::State::kRunningQueued) append_ready(work);
    if (state == Work::State::kRunningDelayed) insert_delayed(work, work.due_);
  }
  if (waiters_ != 0) changed_.notify_all();
}

void WorkLane::wait_for_change() {
  ++waiters_;
  changed_.wait(mutex_);
  --waiters_;
}

void WorkLane::append_ready(Work& work) {
  work.state_ = Work::State::kQueued;
  work.next_ = nullptr;
  work.previous_ = ready_last_;
  (ready_last_ ? ready_last_->next_ : ready_first_) = &work;
  ready_last_ = &work;
  work_added_.notify_one();
}

// From the back: most timers are set for later than those already there. Equal times keep the order
// of the calls.
void WorkLane::insert_delayed(Work& work, TimePoint due) {
  work.state_ = Work::State::kDelayed;
  work.due_ = due;
  Work* before = delayed_last_;
  while (before && before->due_ > due) before = before->previous_;
  work.previous_ = before;
  work.next_ = before ? before->next_ : delayed_first_;
  (before ? before->next_ : delayed_first_) = &work;
  (work.next_ ? work.next_->previous_ : delayed_last_) = &work;
  if (delayed_first_ == &work) work_added_.notify_one();
}

void WorkLane::unlink(Work& work) {
  const bool delayed = work.state_ == Work::State::kDelayed;
  Work*& first = delayed ? delayed_first_ : ready_first_;
  Work*& last = delayed ? delayed_last_ : ready_last_;
  (work.previous_ ? work.previous_->next_ : first) = work.next_;
  (work.next_ ? work.next_->previous_ : last) = work.previous_;
  work.next_ = work.previous_ = nullptr;
}

void WorkLane::promote_due(TimePoint now) {
  while (delayed_first_ && delayed_first_->due_ <= now) {
    Work& work = *delayed_first_;
    unlink(work);
    append_ready(work);
  }
}

}  // namespace pantry::driver
