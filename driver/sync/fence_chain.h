// SPDX-License-Identifier: MIT
//
// One point of a timeline: a fence that signals when its own fence and every earlier point have
// signalled. Chains may be long; they are walked, signalled and destroyed in a loop, never by
// recursion. As in Linux a chain fence carries no error of its own.
//
// A point whose own fence has signalled says nothing that the point before it does not say, and is
// taken out of the chain: the later point then waits for the earlier one. Every walk does so; and a
// new point walks the whole chain once as many points have been added as survived the last time. So
// adding costs O(1) on average, and a chain is at most twice as long as it has pending fences, plus
// a few.
#pragma once

#include "driver/kernel/quota.h"
#include "driver/sync/derived_fence.h"

namespace pantry::driver {

class FenceChain final : public DerivedFence {
 public:
  // Allocated during prepare, linked later by Syncobj::add_point, which cannot fail.
  static Ref<FenceChain> create() PANTRY_MAY_ALLOCATE;
  // Who pays for it until it has no say any more: it has signalled, or was taken out of the chain.
  static Result<Ref<FenceChain>> create(Account& payer) PANTRY_MAY_ALLOCATE;
  // `fence` itself if it is a point of a timeline, else null.
  static FenceChain* of(Fence* fence) noexcept;

  const char* driver_name() const noexcept override { return "dma_fence_chain"; }
  const char* timeline_name() const noexcept override { return "unbound"; }

  // Gives the new node its place, once and before anybody else sees it: behind `previous`, which
  // may be null or not a chain. `fence` is not a chain. If `point` is not higher than that of
  // `previous`, a new context begins and the node gets the higher of the two.
  void link(Ref<Fence> previous, Ref<Fence> fence, std::uint64_t point) noexcept;
  // After link, once and without a lock: from now on it signals. The node may have been seen
  // meanwhile.
  void arm() noexcept;

  std::uint64_t point() const noexcept { return seqno(); }
  // The point of the node before it when it was linked; 0 when that was of another context.
  std::uint64_t previous_point() const noexcept { return previous_point_; }
  Ref<Fence> contained() const noexcept { return contained_; }
  // The earlier point, or null for the first one (earlier points that have signalled are dropped
  // from the chain). May signal this node, so no lock is held that a callback takes.
  Ref<Fence> previous() noexcept;

  // The fence that stands for `point` in the chain that ends at `head`: the first point >= `point`,
  // or the stub when the chain no longer holds it because it signalled. Null when the chain has not
  // reached `point`, or `head` is not a chain.
  static Ref<Fence> find(const Ref<Fence>& head, std::uint64_t point);
  // The highest point of the chain that has signalled, as SYNCOBJ_QUERY reports it.
  static std::uint64_t last_signalled(const Ref<FenceChain>& head) noexcept;

 private:
  class Arrival final : public FenceCallback {
   public:
    explicit Arrival(FenceChain& chain) : chain_(chain) {}
    void on_signalled(Fence& fence) noexcept override { chain_.arrived(fence.timestamp()); }

   private:
    FenceChain& chain_;
  };
  enum class Step { kDone, kSkipped };

  explicit FenceChain(Charge charge) : DerivedFence(0, 0), charge_(std::move(charge)) {}
  ~FenceChain() override;
  int early_status() const noexcept override;
  Ref<Fence> linked() const noexcept;
  // Takes the point before this one out, if it need not be there; the reference to it moves to
  // `dropped`.
  Step skip_one(Ref<Fence>& dropped) noexcept;
  void collect() noexcept;
  void arrived(TimePoint when) noexcept;

  // Set by link and constant afterwards.
  std::uint64_t previous_point_ = 0;
  Ref<Fence> contained_;
  const Charge charge_;
  // When to walk the chain next; hints only, read by the points that are linked behind this one.
  std::atomic<std::uint32_t> added_{0};
  std::atomic<std::uint32_t> survivors_{0};

  // What is still to come: the own fence, and the earlier points.
  std::atomic<int> missing_{2};
  Arrival contained_arrival_{*this};
  Arrival previous_arrival_{*this};
  // Held while the lock of an earlier point or of a fence is taken, never that of a later point.
  mutable Mutex mutex_;
  // Null: the earlier points have arrived. Otherwise previous_arrival_ is registered there, or has
  // been called.
  Ref<Fence> previous_ PANTRY_GUARDED_BY(mutex_);
  enum class Stage { kNew, kLinked, kArmed } stage_ PANTRY_GUARDED_BY(mutex_) = Stage::kNew;
};

}  // namespace pantry::driver
