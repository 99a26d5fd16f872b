// SPDX-License-Identifier: MIT
//
// A DRM synchronisation object: a container for one fence, binary or the head of a timeline
// (fence_chain.h). The rules are those of panthor-uapi.md B.4 and errata B.5/B.6, checked by
// syncobj_test.cc.
//
// replace and add_point do not allocate (but for the log line about a client's mistake, outside a
// SignallingSection only); they may run with the fence not yet signalled, after which the fence is
// published. Changes of one syncobj happen one after the other: each is told to every watcher
// before the next one starts, so that a watcher sees the state that it is told of. Waiting is
// asynchronous (syncobj_wait.h); the blocking form sits on top.
#pragma once

#include "driver/sync/fence_chain.h"

namespace pantry::driver {

class SyncobjEvent;

class Syncobj final : public RefCounted {
 public:
  // Told whenever the syncobj's fence is replaced or a point is added, on the thread that does it,
  // in the order of their registration. Same rules as FenceCallback; and it does not change this
  // syncobj.
  class Watcher {
   public:
    Watcher() = default;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    virtual void on_changed(Syncobj& syncobj) noexcept = 0;

   protected:
    ~Watcher() = default;

   private:
    friend class Syncobj;
    Watcher* next_ = nullptr;
    Watcher* previous_ = nullptr;
  };

  static Ref<Syncobj> create() PANTRY_MAY_ALLOCATE;

  // The fence it holds now; null when it holds none.
  Ref<Fence> fence() const noexcept;
  // Binary signal, import, reset (null). Replaces a timeline altogether.
  void replace(Ref<Fence> fence) noexcept;
  // Appends `point`, which signals when `fence` (not itself a point of a timeline) and all earlier
  // points have. A point that is not higher than the head's is logged as the client's mistake and
  // handled as Linux does (the head keeps its value).
  void add_point(Ref<FenceChain> node, Ref<Fence> fence, std::uint64_t point) noexcept;
  // The fence to wait on for `point`; point 0 is whatever it holds. EINVAL when there is none, or
  // none that reaches `point`.
  Result<Ref<Fence>> find(std::uint64_t point) const;

  enum class Query { kLastSignalled, kLastSubmitted };
  // SYNCOBJ_QUERY; 0 for a binary syncobj.
  std::uint64_t query(Query which) const;

  // From the next change on; so a watcher is registered first, and then looks at what there is.
  void watch(Watcher& watcher) noexcept;
  // Once this returns, `watcher` neither runs nor will run. Not from a watcher of this syncobj.
  void unwatch(Watcher& watcher) noexcept;

  // From now on `event` waits for its point; it may happen at once. Once only for each. Not inside
  // a SignallingSection: frees those that need this syncobj no longer.
  void add_event(const Ref<SyncobjEvent>& event) PANTRY_MAY_ALLOCATE;

 private:
  Syncobj();
  ~Syncobj() override;
  void begin_change() PANTRY_REQUIRES(mutex_);
  void tell_watchers() PANTRY_REQUIRES(mutex_);
  // Those whose fence is known; for Syncobj's own end: all.
  enum class Which { kWithFence, kAll };
  Ref<SyncobjEvent> take_events(Which which) PANTRY_REQUIRES(mutex_);
  static constexpr std::uint32_t kFirstSweep = 8;
  void forget(Ref<SyncobjEvent> events);

  enum class Change { kNone, kInProgress };
  // Leaf lock, held for a few instructions but for a sweep of the events; not while watchers are
  // told.
  mutable Mutex mutex_;
  CondVar changed_;
  Ref<Fence> fence_ PANTRY_GUARDED_BY(mutex_);
  Change change_ PANTRY_GUARDED_BY(mutex_) = Change::kNone;
  Watcher* first_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  Watcher* last_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  Watcher* calling_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  Watcher* to_call_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  // Each is a watcher too.
  Ref<SyncobjEvent> events_ PANTRY_GUARDED_BY(mutex_);
  std::uint32_t event_count_ PANTRY_GUARDED_BY(mutex_) = 0;
  // So many events, and those that need this no longer are taken out: twice what was left last
  // time, so that each event is looked at twice on average.
  std::uint32_t sweep_at_ PANTRY_GUARDED_BY(mutex_) = kFirstSweep;
};

}  // namespace pantry::driver
