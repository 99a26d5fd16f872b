// SPDX-License-Identifier: MIT
#include "driver/sync/sw_timeline.h"

#include <algorithm>
#include <climits>
#include <new>
#include <utility>

namespace pantry::driver {
namespace {

constexpr std::size_t kNameLength = 31;

// Whether `a` comes after `b`, on a circle of 2^32.
bool is_later(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

}  // namespace

class SwTimeline::Point final : public Fence {
 public:
  Point(Ref<SwTimeline> timeline, std::uint32_t value)
      : Fence(timeline->context_, value), timeline_(std::move(timeline)), place_{this} {}
  ~Point() override { timeline_->forget(*this); }
  const char* driver_name() const noexcept override { return "sw_sync"; }
  const char* timeline_name() const noexcept override { return timeline_->name(); }
  std::uint32_t value() const { return static_cast<std::uint32_t>(seqno()); }

  void enter(std::list<Point*>& pending, std::list<Point*>::const_iterator before) {
    const auto own = place_.begin();
    pending.splice(before, place_);
    entered_ = own;
  }
  void leave(std::list<Point*>& pending) {
    if (place_.empty()) place_.splice(place_.begin(), pending, entered_);
  }

 private:
  const Ref<SwTimeline> timeline_;
  std::list<Point*> place_;  // one node, or none while that is among the pending ones
  std::list<Point*>::iterator entered_;
};

Result<Ref<SwTimeline>> SwTimeline::create(std::string_view name) {
  try {
    return Ref<SwTimeline>::adopt(new SwTimeline(name.substr(0, kNameLength)));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

bool SwTimeline::has_passed(std::uint32_t value) const { return !is_later(value, counter_); }

Result<Ref<Fence>> SwTimeline::fence(std::uint32_t value, Cleanup& cleanup, TimePoint now) {
  try {
    Ref<Point> point = make_ref<Point>(Ref<SwTimeline>::share(*this), value);
    {
      MutexLock lock(mutex_);
      if (!has_passed(value)) {
        const auto at = std::ranges::find_if(
            pending_, [&](const Point* other) { return !is_later(value, other->value()); });
        // One that nobody holds any more is about to forget itself.
        if (at != pending_.end() && (*at)->value() == value && (*at)->try_acquire())
          return Ref<Fence>(Ref<Point>::adopt(*at));
        point->enter(pending_, at);
        return Ref<Fence>(std::move(point));
      }
    }
    SignallingSection section(cleanup);
    point->signal(now, 0);
    return Ref<Fence>(std::move(point));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

// In steps that can be told from steps back.
void SwTimeline::advance(std::uint32_t by, Cleanup& cleanup, TimePoint now) {
  do {
    const std::uint32_t step = std::min<std::uint32_t>(by, INT_MAX);
    {
      MutexLock lock(mutex_);
      counter_ += step;
    }
    signal(Which::kPassed, 0, cleanup, now);
    by -= step;
  } while (by != 0);
}

void SwTimeline::end(Cleanup& cleanup, TimePoint now) {
  signal(Which::kAll, static_cast<int>(Errno::kNoEnt), cleanup, now);
}

void SwTimeline::signal(Which which, int error, Cleanup& cleanup, TimePoint now) {
  SignallingSection section(cleanup);
  for (;;) {
    Ref<Point> point;
    {
      MutexLock lock(mutex_);
      point = take(which);
    }
    if (!point) return;
    point->signal(now, error);
  }
}

Ref<SwTimeline::Point> SwTimeline::take(Which which) {
  while (!pending_.empty() && (which == Which::kAll || has_passed(pending_.front()->value()))) {
    Point* const first = pending_.front();
    first->leave(pending_);
    if (first->try_acquire()) return Ref<Point>::adopt(first);
  }
  return nullptr;
}

void SwTimeline::forget(Point& point) {
  MutexLock lock(mutex_);
  point.leave(pending_);
}

}  // namespace pantry::driver
