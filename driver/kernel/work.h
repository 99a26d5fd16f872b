// SPDX-License-Identifier: MIT
//
// Work items and the lanes they run on. An item is intrusive: queueing it links it through itself,
// so queueing never allocates and is allowed anywhere, also inside a SignallingSection. An item
// never runs on two threads at once; queued again while it runs, it runs once more afterwards. A
// work item never waits for another work item.
//
// An item may destroy itself from its own run(), provided that nobody else can reach it any more.
#pragma once

#include <cstdint>

#include "base/mutex.h"
#include "base/signalling.h"
#include "base/types.h"

namespace pantry::driver {

class WorkLane;

class Work {
 public:
  Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  // Runs on a thread of the lane, with no lock held and in no section.
  virtual void run() PANTRY_MAY_WAIT = 0;

 protected:
  // An item must be idle when it dies (its owner has called WorkLane::cancel), or be dying in its
  // own run().
  ~Work();

 private:
  friend class WorkLane;
  enum class State : std::uint8_t {
    kIdle,
    kQueued,
    kDelayed,
    kRunning,
    kRunningQueued,
    kRunningDelayed
  };
  // All guarded by the lock of the lane.
  State state_ = State::kIdle;
  TimePoint due_;
  Work* next_ = nullptr;
  Work* previous_ = nullptr;
};

// `MemberWork<Scheduler, &Scheduler::tick> tick_work_{*this};`
template <class Owner, void (Owner::*Method)()>
class MemberWork final : public Work {
 public:
  explicit MemberWork(Owner& owner) : owner_(owner) {}
  void run() override PANTRY_MAY_WAIT { (owner_.*Method)(); }

 private:
  Owner& owner_;
};

// A queue of work with a fixed set of threads behind it, which the executor owns. Items start in
// the order in which they were queued (a delayed item counts as queued when it is due).
class WorkLane {
 public:
  // Whether the lane's items may wait for fences and queues.
  enum class Items { kMayWait, kMayNotWait };
  WorkLane(const char* name, Items items) : name_(name), items_(items) {}
  WorkLane(const WorkLane&) = delete;
  WorkLane& operator=(const WorkLane&) = delete;
  // Nothing is queued, delayed or running by then.
  ~WorkLane();

  // Runs `work` as soon as a thread is free. No effect if it is queued already; a delayed item
  // becomes due at once.
  void queue(Work& work);
  // Runs `work` at `due`. If it is delayed already, `due` replaces the old time; if it is queued,
  // no effect.
  void queue_at(Work& work, TimePoint due);
  // Takes `work` out of the lane and, if it runs on another thread, waits for it to return (no lock
  // of the item's may be held; never from a work item that another item waits for). Afterwards it
  // is idle unless somebody queues it again. From the item's own run() it only undoes a re-queue.
  void cancel(Work& work) PANTRY_MAY_WAIT;
  // Waits until `work` is neither queued nor running; a delayed item counts as idle. Never from a
  // work item.
  void flush(Work& work) PANTRY_MAY_WAIT;
  // Waits until nothing is queued, due or running at this moment. For tests and shutdown. Never
  // from a work item.
  void drain() PANTRY_MAY_WAIT;

  const char* name() const { return name_; }
  // Whether the calling thread runs an item that may not wait.
  static bool in_item_that_may_not_wait() noexcept;

  // The body of each of the lane's threads; returns once stop() was called and nothing is queued.
  void serve() PANTRY_MAY_WAIT;
  void stop();

 private:
  friend class Work;
  // What a thread of a lane is running now. Lives on that thread's stack.
  struct Running {
    WorkLane& lane;
    Work* work;  // null once the item has destroyed itself
  };
  static thread_local constinit Running* running_here_;

  void append_ready(Work& work) PANTRY_REQUIRES(mutex_);
  void insert_delayed(Work& work, TimePoint due) PANTRY_REQUIRES(mutex_);
  void unlink(Work& work) PANTRY_REQUIRES(mutex_);
  void promote_due(TimePoint now) PANTRY_REQUIRES(mutex_);
  void run_next() PANTRY_REQUIRES(mutex_) PANTRY_MAY_WAIT;
  void wait_for_change() PANTRY_REQUIRES(mutex_);

  const char* const name_;
  const Items items_;
  // Leaf lock: nothing else is taken under it. Held for a few instructions only. May be taken
  // inside a section.
  mutable Mutex mutex_;
  CondVar work_added_;  // threads of the lane wait here
  CondVar changed_;     // cancel, flush and drain wait here
  Work* ready_first_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  Work* ready_last_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  Work* delayed_first_ PANTRY_GUARDED_BY(mutex_) = nullptr;  // by due time
  Work* delayed_last_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  std::uint32_t running_ PANTRY_GUARDED_BY(mutex_) = 0;
  std::uint32_t waiters_ PANTRY_GUARDED_BY(mutex_) = 0;
  bool stopping_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace pantry::driver
