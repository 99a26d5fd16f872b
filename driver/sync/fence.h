// SPDX-License-Identifier: MIT
//
// A fence: something that happens once, in bounded time, and may carry an error. The promise that a
// published fence signals is what SignallingSection guards (driver/kernel/signalling.h).
//
// Signalling neither allocates nor frees. Callbacks run on the signalling thread, in the order in
// which they were added, without any lock of the fence's. A callback must not block, allocate, free
// or take a lock that is held across either; it usually queues a work item. A fence that signals
// other fences (a chain) does so without recursion (derived_fence.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/mutex.h"
#include "base/ref.h"
#include "base/result.h"
#include "base/types.h"
#include "driver/kernel/clock.h"
#include "driver/kernel/signalling.h"

namespace pantry::driver {

class Fence;

// An intrusive registration for one fence. May be registered again once it was called or removed.
class FenceCallback {
 public:
  FenceCallback() = default;
  FenceCallback(const FenceCallback&) = delete;
  FenceCallback& operator=(const FenceCallback&) = delete;

  virtual void on_signalled(Fence& fence) noexcept = 0;

 protected:
  ~FenceCallback() = default;

 private:
  friend class Fence;
  FenceCallback* next_ = nullptr;
  FenceCallback* previous_ = nullptr;
};

class Fence : public RefCounted {
 public:
  // A fence of its own context: contexts order fences whose seqno can be compared. Allocates
  // nothing.
  Fence(std::uint64_t context, std::uint64_t seqno) : context_(context), seqno_(seqno) {}

  // A new number for an ordered series of fences.
  static std::uint64_t next_context() noexcept;

  // As SYNC_IOC_FILE_INFO reports them: "drm_sched" and "panthor-queue", say. Static storage.
  virtual const char* driver_name() const noexcept = 0;
  virtual const char* timeline_name() const noexcept = 0;

  std::uint64_t context() const noexcept { return context_; }
  std::uint64_t seqno() const noexcept { return seqno_; }

  // Acquires everything the signaller did before.
  bool signalled() const noexcept { return status() != kPending; }
  // 0 while pending, 1 signalled without error, a negated errno signalled with error.
  int status() const noexcept {
    const int status = status_.load(std::memory_order_acquire);
    return status != kPending ? status : early_status();
  }
  // When it signalled; undefined while pending.
  TimePoint timestamp() const noexcept { return timestamp_; }

  // `callback` is called once when the fence signals. False, and never called, when it has
  // signalled already.
  bool add_callback(FenceCallback& callback) noexcept;
  // Once this returns, `callback` neither runs nor will run. True if it was registered and not
  // called. Waits, boundedly, for a call in progress on another thread; so not under a lock that
  // the callback takes. From the callback itself it has no effect.
  bool remove_callback(FenceCallback& callback) noexcept;

  // Signals, once: a second call is a bug (CHECK). `error` 0 or a positive errno. The caller holds
  // a reference.
  void signal(TimePoint now, int error) noexcept;

 protected:
  static constexpr int kPending = 0;
  // A fence that has signalled without error at `when`.
  Fence(std::uint64_t context, std::uint64_t seqno, TimePoint when)
      : context_(context), seqno_(seqno), status_(1), timestamp_(when) {}
  ~Fence() override;

  // What status() says while signal() is still to come: a fence that follows others is signalled
  // for everybody as soon as they are, though its callbacks run a little later. No callback runs
  // from here; takes leaf locks only.
  virtual int early_status() const noexcept { return kPending; }
  // For fences that are numbered after their creation; before anybody else sees the fence.
  void set_number(std::uint64_t context, std::uint64_t seqno) noexcept {
    context_ = context;
    seqno_ = seqno;
  }

 private:
  void run_callbacks() noexcept;

  std::uint64_t context_;
  std::uint64_t seqno_;
  std::atomic<int> status_{kPending};
  TimePoint timestamp_;
  // Leaf lock, held for list operations only.
  Mutex mutex_;
  CondVar called_;
  FenceCallback* first_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  FenceCallback* last_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  FenceCallback* calling_ PANTRY_GUARDED_BY(mutex_) = nullptr;
};

// An already signalled fence without error, "stub"/"stub". Shared; allocates on first use only,
// which is outside of any SignallingSection (CHECK).
Ref<Fence> stub_fence();
// One more of the kind, with the time at which it signalled.
Ref<Fence> stub_fence_at(TimePoint when) PANTRY_MAY_ALLOCATE;

// Waits until `fence` signals or `deadline` passes (false). No lock held, never from a work item.
bool wait_for(Fence& fence, TimePoint deadline) PANTRY_MAY_WAIT;

}  // namespace pantry::driver
