// SPDX-License-Identifier: MIT
//
// A DRM synchronisation object: a container for one fence, binary or the head of a timeline (fence_chain.h). The rules are
// those of panthor-uapi.md B.4 and errata B.5/B.6, checked by syncobj_test.cc.
//
// replace, add_point and reset do not allocate; they may run with the fence not yet signalled, after which the fence is
// published. Waiting is asynchronous (syncobj_wait.h); the blocking form sits on top.
#pragma once

#include "driver/sync/fence_chain.h"

namespace pantry::driver {

class Syncobj : public RefCounted {
 public:
  // Told whenever the syncobj's fence is replaced or a point is added. Same rules as FenceCallback.
  class Watcher {
   public:
    virtual void on_changed(Syncobj& syncobj) noexcept = 0;

   protected:
    ~Watcher() = default;

   private:
    friend class Syncobj;
    Watcher* next_ = nullptr;
    Watcher* previous_ = nullptr;
  };

  static Ref<Syncobj> create();

  // The fence it holds now; null when it holds none.
  Ref<Fence> fence() const noexcept;
  // Binary signal, import, reset (null). Replaces a timeline altogether.
  void replace(Ref<Fence> fence) noexcept;
  // Appends `point`, which signals when `fence` and all earlier points have. A point lower than the head's is logged as the
  // client's mistake and handled as Linux does (the head keeps its value).
  void add_point(Ref<FenceChain> node, Ref<Fence> fence, std::uint64_t point) noexcept;
  // The fence to wait on for `point`; point 0 is whatever it holds. EINVAL when there is none, or none that reaches `point`.
  Result<Ref<Fence>> find(std::uint64_t point) const;

  enum class Query { kLastSignalled, kLastSubmitted };
  // SYNCOBJ_QUERY; 0 for a binary syncobj.
  std::uint64_t query(Query which) const;

  void watch(Watcher& watcher) noexcept;
  // Once this returns, `watcher` neither runs nor will run.
  void unwatch(Watcher& watcher) noexcept;

 private:
  Syncobj() = default;
  // Leaf lock.
  mutable Mutex mutex_;
  CondVar called_;
  Ref<Fence> fence_ PANTRY_GUARDED_BY(mutex_);
  Watcher* first_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  Watcher* calling_ PANTRY_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace pantry::driver
