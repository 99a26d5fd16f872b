// SPDX-License-Identifier: MIT
#include "driver/sync/fence_chain.h"

#include <algorithm>

#include "base/check.h"
#include "base/thread_host.h"
#include "driver/kernel/signalling.h"

namespace pantry::driver {
namespace {

// A chain shorter than this is not worth a walk.
constexpr std::uint32_t kShort = 16;

// Drops the references of dying points one after the other: dropping the last one to a point only
// puts it into a list, which the outermost destructor of the thread empties.
class Demolition {
 public:
  static void drop(Ref<Fence> first, Ref<Fence> second) noexcept {
    if (DeadList::current()) return;  // in a section that already is what happens
    DeadList* const outermost = list_here;
    DeadList own;
    if (!outermost) list_here = &own;
    {
      const DeadList::Scope scope(*list_here);
      first = nullptr;
      second = nullptr;
    }
    if (outermost) return;
    SignallingSection::check_outside();
    while (!own.empty()) own.destroy_all();
    list_here = nullptr;
  }

 private:
  static thread_local constinit DeadList* list_here;
};
thread_local constinit DeadList* Demolition::list_here = nullptr;

}  // namespace

Ref<FenceChain> FenceChain::create() { return Ref<FenceChain>::adopt(new FenceChain(Charge())); }

Result<Ref<FenceChain>> FenceChain::create(Account& payer) {
  PANTRY_TRY_ASSIGN(Charge charge, payer.charge(Resource::kFences, 1));
  return Ref<FenceChain>::adopt(new FenceChain(std::move(charge)));
}

FenceChain* FenceChain::of(Fence* fence) noexcept { return dynamic_cast<FenceChain*>(fence); }

FenceChain::~FenceChain() {
  if (stage_ == Stage::kArmed) {
    contained_->remove_callback(contained_arrival_);
    if (previous_) previous_->remove_callback(previous_arrival_);
  }
  Demolition::drop(std::move(previous_), std::move(contained_));
}

void FenceChain::link(Ref<Fence> previous, Ref<Fence> fence, std::uint64_t point) noexcept {
  PANTRY_CHECK(fence && !of(fence.get()));
  const FenceChain* const before = of(previous.get());
  if (before && point > before->point()) {
    set_number(before->context(), point);
    previous_point_ = before->point();
  } else {
    set_number(next_context(), before ? std::max(point, before->point()) : point);
  }
  if (before) {
    added_ = before->added_ + 1;
    survivors_ = before->survivors_.load();
  }
  contained_ = std::move(fence);
  MutexLock lock(mutex_);
  PANTRY_CHECK(stage_ == Stage::kNew);
  stage_ = Stage::kLinked;
  previous_ = std::move(previous);
}

void FenceChain::arm() noexcept {
  // A reference of our own: the node may signal, and be dropped by everybody else, before we are
  // through.
  const Ref<FenceChain> self = Ref<FenceChain>::share(*this);
  // Before the earlier points are registered on, as then taking them out costs least.
  if (added_ > std::max(survivors_.load(), kShort))
    collect();
  else
    previous();
  bool previous_arrived;
  {
    MutexLock lock(mutex_);
    PANTRY_CHECK(stage_ == Stage::kLinked);
    stage_ = Stage::kArmed;
    previous_arrived = !previous_ || !previous_->add_callback(previous_arrival_);
  }
  if (previous_arrived) arrived(current_time());
  if (!contained_->add_callback(contained_arrival_)) arrived(contained_->timestamp());
}

void FenceChain::arrived(TimePoint when) noexcept {
  if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) signal_in_turn(when, 0);
}

void FenceChain::collect() noexcept {
  std::uint32_t survivors = 0;
  for (Ref<Fence> point = previous(); point; ++survivors) {
    FenceChain* const chain = of(point.get());
    point = chain ? chain->previous() : nullptr;
  }
  survivors_ = survivors;
  added_ = 0;
}

Ref<Fence> FenceChain::linked() const noexcept {
  MutexLock lock(mutex_);
  return previous_;
}

Ref<Fence> FenceChain::previous() noexcept {
  for (;;) {
    Ref<Fence> dropped;
    if (skip_one(dropped) == Step::kDone) return linked();
  }
}

FenceChain::Step FenceChain::skip_one(Ref<Fence>& dropped) noexcept {
  bool have_arrived = false;
  {
    MutexLock lock(mutex_);
    if (!previous_) return Step::kDone;
    Ref<Fence> earlier;
    if (const FenceChain* const chain = of(previous_.get())) {
      // Points are compared by their own fence only: asking whether the point as a whole has
      // signalled would walk the rest of the chain at every step.
      if (!chain->contained_->signalled()) return Step::kDone;
      earlier = chain->linked();
    } else if (!previous_->signalled()) {
      return Step::kDone;
    }
    if (stage_ == Stage::kArmed) {
      if (!previous_->remove_callback(previous_arrival_)) {
        earlier = nullptr;  // it has been called, so everything earlier has signalled
      } else if (!earlier || !earlier->add_callback(previous_arrival_)) {
        earlier = nullptr;
        have_arrived = true;
      }
    }
    dropped = std::exchange(previous_, std::move(earlier));
  }
  if (have_arrived) arrived(current_time());
  return Step::kSkipped;
}

int FenceChain::early_status() const noexcept {
  // Whether every fence from here on has signalled. A node that is not linked yet has none.
  if (!contained_ || !contained_->signalled()) return kPending;
  for (Ref<Fence> fence = linked(); fence;) {
    const FenceChain* const chain = of(fence.get());
    if (!chain) return fence->signalled() ? 1 : kPending;
    if (!chain->contained_->signalled()) return kPending;
    fence = chain->linked();
  }
  return 1;
}

Ref<Fence> FenceChain::find(const Ref<Fence>& head, std::uint64_t point) {
  FenceChain* const newest = of(head.get());
  if (!newest || newest->point() < point) return nullptr;
  for (Ref<Fence> fence = head; fence;) {
    FenceChain* const chain = of(fence.get());
    if (fence->context() != newest->context() || chain->previous_point_ < point) return fence;
    fence = chain->previous();
  }
  return stub_fence();
}

std::uint64_t FenceChain::last_signalled(const Ref<FenceChain>& head) noexcept {
  Ref<FenceChain> last = head;
  for (;;) {
    const Ref<Fence> earlier = last->previous();
    if (!earlier || earlier->context() != head->context()) break;
    last = Ref<FenceChain>::share(*of(earlier.get()));
  }
  return last->signalled() ? last->point() : last->previous_point_;
}

}  // namespace pantry::driver
