// SPDX-License-Identifier: MIT
//
// Something that happens once a syncobj's fence for a point is there, or has signalled: what
// SYNCOBJ_EVENTFD registers. Nobody waits for it and nobody takes it back. As in Linux it goes with
// the syncobj as long as there is no fence, and afterwards lasts until the fence signals, whatever
// becomes of the syncobj.
#pragma once

#include <atomic>

#include "driver/kernel/quota.h"
#include "driver/kernel/work.h"
#include "driver/sync/syncobj.h"

namespace pantry::driver {

class SyncobjEvent : public RefCounted,
                     private Syncobj::Watcher,
                     private FenceCallback,
                     private Work {
 public:
  enum class When { kAvailable, kSignalled };

 protected:
  // `cleanup` outlives every fence.
  SyncobjEvent(WorkLane& cleanup, std::uint64_t point, When when, Charge charge = {})
      : cleanup_(cleanup), point_(point), when_(when), charge_(std::move(charge)) {}
  ~SyncobjEvent() override PANTRY_MAY_WAIT;

  // At most once. On a client's thread that registers the event, brings the fence or signals it,
  // before that returns: so a client finds it done when its call is. Same rules as FenceCallback.
  virtual void fire() noexcept = 0;
  // Some time after it, where there are no such rules: frees what only fire() needed.
  virtual void let_go() noexcept PANTRY_MAY_ALLOCATE = 0;

 private:
  friend class Syncobj;
  void start(Syncobj& syncobj) noexcept PANTRY_MAY_ALLOCATE;
  // From now on the syncobj is of no interest.
  bool has_fence() const noexcept { return has_fence_.load(std::memory_order_acquire); }
  bool take_fence(Syncobj& syncobj) noexcept;
  bool is_time() const noexcept { return when_ == When::kAvailable || fence_->signalled(); }
  void follow() noexcept;
  void happen() noexcept;
  void end() PANTRY_MAY_ALLOCATE;

  void on_changed(Syncobj& syncobj) noexcept override;
  void on_signalled(Fence&) noexcept override;
  void run() override PANTRY_MAY_ALLOCATE;

  WorkLane& cleanup_;
  const std::uint64_t point_;
  const When when_;
  Charge charge_;  // until it has let go
  std::atomic<bool> has_fence_{false};
  bool fired_ = false;  // by whoever queues the work, or its item
  // Both set by whoever sets has_fence_.
  Ref<Fence> fence_;
  Ref<SyncobjEvent> itself_;  // until it has let go
  Ref<SyncobjEvent> next_;    // of the syncobj's; under its lock
};

}  // namespace pantry::driver
