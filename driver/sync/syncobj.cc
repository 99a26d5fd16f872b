// SPDX-License-Identifier: MIT
#include "driver/sync/syncobj.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/trace_ring.h"
#include "driver/sync/syncobj_event.h"

namespace pantry::driver {
namespace {

void complain(std::uint64_t head, std::uint64_t point) {
  if (SignallingSection::active()) {
    trace_ring().trace("syncobj: point out of order", head, point);
  } else {
    SignallingSection::check_outside();
    log_client("driver/sync", "point {} is added to a timeline that is at {}", point, head);
  }
}

}  // namespace

Ref<Syncobj> Syncobj::create() {
  stub_fence();  // find() may need it where nothing may be allocated
  return Ref<Syncobj>::adopt(new Syncobj());
}

Syncobj::Syncobj() = default;

Syncobj::~Syncobj() {
  Ref<SyncobjEvent> events;
  {
    MutexLock lock(mutex_);
    events = take_events(Which::kAll);
  }
  forget(std::move(events));
  PANTRY_CHECK(!first_);
}

Ref<Fence> Syncobj::fence() const noexcept {
  MutexLock lock(mutex_);
  return fence_;
}

void Syncobj::replace(Ref<Fence> fence) noexcept {
  MutexLock lock(mutex_);
  begin_change();
  // The old fence goes when the caller's argument does, after the lock.
  std::swap(fence_, fence);
  tell_watchers();
}

void Syncobj::add_point(Ref<FenceChain> node, Ref<Fence> fence, std::uint64_t point) noexcept {
  std::uint64_t head = 0;
  {
    MutexLock lock(mutex_);
    begin_change();
    if (const FenceChain* const chain = FenceChain::of(fence_.get())) head = chain->point();
    node->link(std::exchange(fence_, node), std::move(fence), point);
    tell_watchers();
  }
  node->arm();
  if (head != 0 && point <= head) complain(head, point);
}

Result<Ref<Fence>> Syncobj::find(std::uint64_t point) const {
  Ref<Fence> head = fence();
  if (!head) return Error(Errno::kInval);
  if (point == 0) return head;
  Ref<Fence> found = FenceChain::find(head, point);
  if (!found) return Error(Errno::kInval);
  return found;
}

std::uint64_t Syncobj::query(Query which) const {
  const Ref<Fence> head = fence();
  FenceChain* const chain = FenceChain::of(head.get());
  if (!chain) return 0;
  if (which == Query::kLastSubmitted) return chain->point();
  return FenceChain::last_signalled(Ref<FenceChain>::share(*chain));
}

void Syncobj::watch(Watcher& watcher) noexcept {
  MutexLock lock(mutex_);
  PANTRY_CHECK(!watcher.next_ && !watcher.previous_ && first_ != &watcher);
  watcher.previous_ = last_;
  (last_ ? last_->next_ : first_) = &watcher;
  last_ = &watcher;
}

void Syncobj::unwatch(Watcher& watcher) noexcept {
  MutexLock lock(mutex_);
  if (first_ == &watcher || watcher.previous_) {
    if (to_call_ == &watcher) to_call_ = watcher.next_;
    (watcher.previous_ ? watcher.previous_->next_ : first_) = watcher.next_;
    (watcher.next_ ? watcher.next_->previous_ : last_) = watcher.previous_;
    watcher.next_ = watcher.previous_ = nullptr;
  }
  while (calling_ == &watcher) changed_.wait(mutex_);
}

void Syncobj::add_event(const Ref<SyncobjEvent>& event) {
  Ref<SyncobjEvent> done;
  {
    MutexLock lock(mutex_);
    if (++event_count_ >= sweep_at_) {
      done = take_events(Which::kWithFence);
      sweep_at_ = std::max(kFirstSweep, 2 * event_count_);
    }
    event->next_ = std::exchange(events_, event);
  }
  forget(std::move(done));
  watch(*event);
  event->start(*this);
}

Ref<SyncobjEvent> Syncobj::take_events(Which which) {
  Ref<SyncobjEvent> taken;
  for (Ref<SyncobjEvent>* link = &events_; *link;) {
    if (which == Which::kWithFence && !(*link)->has_fence()) {
      link = &(*link)->next_;
      continue;
    }
    Ref<SyncobjEvent> event = std::move(*link);
    *link = std::exchange(event->next_, std::move(taken));
    taken = std::move(event);
    --event_count_;
  }
  return taken;
}

void Syncobj::forget(Ref<SyncobjEvent> events) {
  while (events) {
    unwatch(*events);
    Ref<SyncobjEvent> next = std::move(events->next_);
    events = std::move(next);
  }
}

void Syncobj::begin_change() {
  while (change_ == Change::kInProgress) changed_.wait(mutex_);
  change_ = Change::kInProgress;
}

void Syncobj::tell_watchers() {
  for (to_call_ = first_; to_call_;) {
    Watcher* const watcher = to_call_;
    to_call_ = watcher->next_;
    calling_ = watcher;
    mutex_.unlock();
    watcher->on_changed(*this);
    mutex_.lock();
    calling_ = nullptr;
    changed_.notify_all();
  }
  change_ = Change::kNone;
  changed_.notify_all();
}

}  // namespace pantry::driver
