// SPDX-License-Identifier: MIT
#include "driver/sync/fence.h"

#include "base/check.h"
#include "base/thread_host.h"
#include "driver/kernel/signalling.h"
#include "driver/sync/derived_fence.h"

namespace pantry::driver {
namespace {

// The callbacks that run on this thread, innermost first: signal() may be called from a callback.
struct Call {
  const FenceCallback* callback;
  const Call* outer;
};
thread_local constinit const Call* calls_here = nullptr;

bool runs_here(const FenceCallback& callback) noexcept {
  for (const Call* call = calls_here; call; call = call->outer)
    if (call->callback == &callback) return true;
  return false;
}

class StubFence final : public Fence {
 public:
  explicit StubFence(TimePoint when) : Fence(0, 0, when) {}
  const char* driver_name() const noexcept override { return "stub"; }
  const char* timeline_name() const noexcept override { return "stub"; }
};

class FenceWaiter final : public FenceCallback {
 public:
  void on_signalled(Fence&) noexcept override {
    MutexLock lock(mutex_);
    signalled_ = true;
    changed_.notify_all();
  }
  bool wait(TimePoint deadline) noexcept {
    MutexLock lock(mutex_);
    while (!signalled_)
      if (!changed_.wait_until(mutex_, deadline)) break;
    return signalled_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool signalled_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace

Fence::~Fence() { PANTRY_CHECK(!first_ && !calling_); }

std::uint64_t Fence::next_context() noexcept {
  static constinit std::atomic<std::uint64_t> next{1};  // 0 is the stub's
  return next.fetch_add(1, std::memory_order_relaxed);
}

bool Fence::add_callback(FenceCallback& callback) noexcept {
  if (status_.load(std::memory_order_acquire) != kPending) return false;
  MutexLock lock(mutex_);
  if (status_.load(std::memory_order_relaxed) != kPending) return false;
  PANTRY_CHECK(!callback.next_ && !callback.previous_ && first_ != &callback);
  callback.previous_ = last_;
  (last_ ? last_->next_ : first_) = &callback;
  last_ = &callback;
  return true;
}

bool Fence::remove_callback(FenceCallback& callback) noexcept {
  MutexLock lock(mutex_);
  if (first_ == &callback || callback.previous_) {
    (callback.previous_ ? callback.previous_->next_ : first_) = callback.next_;
    (callback.next_ ? callback.next_->previous_ : last_) = callback.previous_;
    callback.next_ = callback.previous_ = nullptr;
    return true;
  }
  if (calling_ == &callback && runs_here(callback)) return false;
  while (calling_ == &callback) called_.wait(mutex_);
  return false;
}

void Fence::signal(TimePoint now, int error) noexcept {
  PANTRY_CHECK(error >= 0);
  {
    MutexLock lock(mutex_);
    PANTRY_CHECK(status_.load(std::memory_order_relaxed) == kPending);
    timestamp_ = now;
    status_.store(error != 0 ? -error : 1, std::memory_order_release);
  }
  const SignalLoop loop;
  run_callbacks();
}

void Fence::run_callbacks() noexcept {
  MutexLock lock(mutex_);
  while (FenceCallback* const callback = first_) {
    first_ = callback->next_;
    (first_ ? first_->previous_ : last_) = nullptr;
    callback->next_ = nullptr;
    calling_ = callback;
    mutex_.unlock();
    // From here on the callback may be registered elsewhere, or gone when it returns.
    const Call call{callback, calls_here};
    calls_here = &call;
    callback->on_signalled(*this);
    calls_here = call.outer;
    mutex_.lock();
    calling_ = nullptr;
    called_.notify_all();
  }
}

// The fence is made signalled, not signalled afterwards: no lock is taken, so no simulated thread
// can be switched away while the compiler's guard of the variable is held.
Ref<Fence> stub_fence() {
  static Ref<Fence>* const stub = [] {
    SignallingSection::check_outside();
    return new Ref<Fence>(make_ref<StubFence>(current_time()));
  }();
  return *stub;
}

Ref<Fence> stub_fence_at(TimePoint when) { return make_ref<StubFence>(when); }

bool wait_for(Fence& fence, TimePoint deadline) {
  check_may_wait("wait_for a fence");
  if (fence.signalled()) return true;
  FenceWaiter waiter;
  if (!fence.add_callback(waiter)) return true;
  const bool signalled = waiter.wait(deadline);
  return !fence.remove_callback(waiter) || signalled;
}

}  // namespace pantry::driver
