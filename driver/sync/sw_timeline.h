// SPDX-License-Identifier: MIT
//
// A timeline that a program moves by hand: the driver behind sw_sync. Fence n signals when the
// counter has come to n; both are 32 bits wide and wrap, so that of two numbers that is later which
// lies up to 2^31 - 1 ahead.
//
// Any thread; the lock is held for list operations only. The fences keep their timeline alive, and
// it does not keep them: one that nobody holds is forgotten.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "driver/sync/fence.h"

namespace pantry::driver {

class SwTimeline final : public RefCounted {
 public:
  // `name`: of the program, of which 31 bytes count. ENOMEM.
  static Result<Ref<SwTimeline>> create(std::string_view name) PANTRY_MAY_ALLOCATE;

  // The fence of `value`: the one that is pending already, or a new one, signalled if the counter
  // has been there. ENOMEM.
  Result<Ref<Fence>> fence(std::uint32_t value, Cleanup& cleanup,
                           TimePoint now) PANTRY_MAY_ALLOCATE;
  // Moves the counter, and signals what it passes, lowest first. `by` may be larger than what can
  // be passed at once.
  void advance(std::uint32_t by, Cleanup& cleanup, TimePoint now);
  // The timeline's file is closed: whatever is pending signals with ENOENT.
  void end(Cleanup& cleanup, TimePoint now);

  const char* name() const { return name_.c_str(); }

 private:
  class Point;
  explicit SwTimeline(std::string_view name) : name_(name) {}
  ~SwTimeline() override = default;
  bool has_passed(std::uint32_t value) const PANTRY_REQUIRES(mutex_);
  enum class Which { kPassed, kAll };
  void signal(Which which, int error, Cleanup& cleanup, TimePoint now);
  // The lowest of them, no longer pending; null when there is none.
  Ref<Point> take(Which which) PANTRY_REQUIRES(mutex_);
  void forget(Point& point);

  const std::string name_;
  const std::uint64_t context_ = Fence::next_context();
  Mutex mutex_;
  std::uint32_t counter_ PANTRY_GUARDED_BY(mutex_) = 0;
  // By value, lowest first. Its nodes are the points' own, so that nothing is allocated or freed
  // under the lock, which is taken where fences are signalled.
  std::list<Point*> pending_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::driver
