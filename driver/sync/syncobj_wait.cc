// SPDX-License-Identifier: MIT
#include "driver/sync/syncobj_wait.h"

#include <optional>

#include "base/check.h"

namespace pantry::driver {
namespace {

using Want = SyncobjWaitArgs::Want;
using Unsubmitted = SyncobjWaitArgs::Unsubmitted;

}  // namespace

struct SyncobjWait::State final : private Work {
  State(Executor& executor, SyncobjWaitArgs args, Completion& completion);
  ~State();

  void start();
  // Ends the wait with `result`, unless it has ended.
  void end(Result<std::uint32_t> result) noexcept;
  Ref<Fence> fence(std::uint32_t index) const { return entries_.at(index).fence(); }

 private:
  // One syncobj and point of the wait.
  class Entry final : private Syncobj::Watcher, private FenceCallback {
   public:
    Entry() = default;
    ~Entry();

    void bind(State& wait, std::uint32_t index, Ref<Syncobj> syncobj, std::uint64_t point);
    // Takes the fence if there is one now. False when there is none.
    bool look() noexcept;
    // Any thread.
    bool satisfied() const noexcept;
    Ref<Fence> fence() const { return fence_; }
    // From now on the wait is told when this entry is satisfied, also if it is already.
    void arm() noexcept;

   private:
    enum class Stage { kIdle, kWatching, kArmed };
    void on_changed(Syncobj& syncobj) noexcept override;
    void on_signalled(Fence& fence) noexcept override;
    void take(Ref<Fence> fence) noexcept;
    void follow() noexcept;

    State* wait_ = nullptr;
    std::uint32_t index_ = 0;
    std::uint64_t point_ = 0;
    Ref<Syncobj> syncobj_;
    // Set once: by look() before arm(), afterwards by whoever wins claimed_.
    Ref<Fence> fence_;
    std::atomic<bool> claimed_{false};
    std::atomic<Fence*> seen_{nullptr};  // fence_, for other threads
    Stage stage_ = Stage::kIdle;
  };

  void begin();
  void run() override PANTRY_MAY_ALLOCATE { end(Error(Errno::kTime)); }
  void one_satisfied(std::uint32_t index) noexcept;

  WorkLane& timers_;
  Clock& clock_;
  const TimePoint deadline_;
  const Want want_;
  const Unsubmitted unsubmitted_;
  Completion& completion_;
  std::uint32_t first_at_start_ = kNone;
  std::atomic<std::uint32_t> missing_;
  std::atomic<bool> ended_{false};  // what still comes is for nobody

  enum class Stage { kNew, kStarting, kRunning, kDone };
  Mutex mutex_;  // leaf
  Stage stage_ PANTRY_GUARDED_BY(mutex_) = Stage::kNew;
  // What ended the wait before start() was through; start() delivers it.
  std::optional<Result<std::uint32_t>> early_ PANTRY_GUARDED_BY(mutex_);
  // Last, so that the entries stop before what they use goes.
  std::vector<Entry> entries_;
};

SyncobjWait::State::Entry::~Entry() {
  if (stage_ == Stage::kIdle) return;
  if (stage_ == Stage::kWatching) syncobj_->unwatch(*this);
  if (fence_) fence_->remove_callback(*this);
}

void SyncobjWait::State::Entry::bind(State& wait, std::uint32_t index, Ref<Syncobj> syncobj,
                                     std::uint64_t point) {
  wait_ = &wait;
  index_ = index;
  syncobj_ = std::move(syncobj);
  point_ = point;
}

bool SyncobjWait::State::Entry::look() noexcept {
  Result<Ref<Fence>> found = syncobj_->find(point_);
  if (!found) return false;
  take(*std::move(found));
  return true;
}

void SyncobjWait::State::Entry::take(Ref<Fence> fence) noexcept {
  fence_ = std::move(fence);
  seen_.store(fence_.get(), std::memory_order_release);
}

bool SyncobjWait::State::Entry::satisfied() const noexcept {
  const Fence* const fence = seen_.load(std::memory_order_acquire);
  return fence && (wait_->unsubmitted_ == Unsubmitted::kEnough || fence->signalled());
}

void SyncobjWait::State::Entry::arm() noexcept {
  if (fence_) {
    stage_ = Stage::kArmed;
    follow();
    return;
  }
  stage_ = Stage::kWatching;
  syncobj_->watch(*this);
  // It may have got its fence before that.
  on_changed(*syncobj_);
}

void SyncobjWait::State::Entry::on_changed(Syncobj& syncobj) noexcept {
  if (claimed_.load(std::memory_order_relaxed)) return;
  Result<Ref<Fence>> found = syncobj.find(point_);
  if (!found || claimed_.exchange(true, std::memory_order_acq_rel)) return;
  take(*std::move(found));
  follow();
}

void SyncobjWait::State::Entry::follow() noexcept {
  if (wait_->unsubmitted_ == Unsubmitted::kEnough || !fence_->add_callback(*this))
    wait_->one_satisfied(index_);
}

void SyncobjWait::State::Entry::on_signalled(Fence&) noexcept { wait_->one_satisfied(index_); }

SyncobjWait::State::State(Executor& executor, SyncobjWaitArgs args, Completion& completion)
    : timers_(executor.lane(Lane::kIrq)),
      clock_(executor.clock()),
      deadline_(args.deadline),
      want_(args.want),
      unsubmitted_(args.unsubmitted),
      completion_(completion),
      missing_(static_cast<std::uint32_t>(args.syncobjs.size())),
      entries_(args.syncobjs.size()) {
  PANTRY_CHECK(args.points.size() == args.syncobjs.size());
  for (std::uint32_t i = 0; i < entries_.size(); ++i)
    entries_[i].bind(*this, i, std::move(args.syncobjs[i]), args.points[i]);
}

SyncobjWait::State::~State() {
  {
    MutexLock lock(mutex_);
    PANTRY_CHECK(stage_ == Stage::kDone || stage_ == Stage::kNew);
  }
  entries_.clear();
  timers_.cancel(*this);
}

void SyncobjWait::State::start() {
  bool cancelled;
  {
    MutexLock lock(mutex_);
    PANTRY_CHECK(stage_ == Stage::kNew);
    stage_ = Stage::kStarting;
    cancelled = early_.has_value();
  }
  if (!cancelled) begin();
  Result<std::uint32_t> result = 0;
  {
    MutexLock lock(mutex_);
    if (!early_) {
      stage_ = Stage::kRunning;
      return;
    }
    stage_ = Stage::kDone;
    result = *early_;
  }
  completion_.on_wait_done(result);
}

void SyncobjWait::State::begin() {
  // A missing fence fails the wait before anything else counts, and only now.
  std::uint32_t satisfied = 0;
  bool failed = false;
  for (std::uint32_t i = 0; i < entries_.size() && !failed; ++i) {
    failed = !entries_[i].look() && unsubmitted_ == Unsubmitted::kFail;
    if (!entries_[i].satisfied()) continue;
    if (satisfied++ == 0) first_at_start_ = i;
  }
  const bool enough = want_ == Want::kAny && satisfied != 0;
  if (failed) {
    end(Error(Errno::kInval));
  } else if (enough || satisfied == entries_.size()) {
    end(first_at_start_);
  } else if (deadline_ <= clock_.now()) {
    end(Error(Errno::kTime));
  } else {
    for (Entry& entry : entries_) entry.arm();
    if (deadline_ != TimePoint::never()) timers_.queue_at(*this, deadline_);
  }
}

void SyncobjWait::State::one_satisfied(std::uint32_t index) noexcept {
  if (want_ == Want::kAll) {
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) end(first_at_start_);
    return;
  }
  // One event may satisfy many entries, each of which comes here: only the first that does looks.
  if (ended_.load(std::memory_order_relaxed)) return;
  // The first of them counts.
  for (std::uint32_t i = 0; i < index; ++i)
    if (entries_[i].satisfied()) index = i;
  end(index);
}

void SyncobjWait::State::end(Result<std::uint32_t> result) noexcept {
  {
    MutexLock lock(mutex_);
    ended_.store(true, std::memory_order_relaxed);
    if ((stage_ == Stage::kNew || stage_ == Stage::kStarting) && !early_) early_ = result;
    if (stage_ != Stage::kRunning) return;
    stage_ = Stage::kDone;
  }
  // The last thing to touch the wait: it may be destroyed as soon as the call that we are in has
  // returned.
  completion_.on_wait_done(result);
}

SyncobjWait::SyncobjWait(Executor& executor, SyncobjWaitArgs args, Completion& completion)
    : state_(std::make_unique<State>(executor, std::move(args), completion)) {}

SyncobjWait::~SyncobjWait() = default;

void SyncobjWait::start() { state_->start(); }

Ref<Fence> SyncobjWait::fence(std::uint32_t index) const { return state_->fence(index); }

void SyncobjWait::cancel() { state_->end(Error(Errno::kIntr)); }

namespace {

class BlockingCompletion final : public SyncobjWait::Completion {
 public:
  void on_wait_done(Result<std::uint32_t> result) noexcept override {
    MutexLock lock(mutex_);
    result_ = result;
    changed_.notify_all();
  }
  Result<std::uint32_t> wait() {
    MutexLock lock(mutex_);
    while (!result_) changed_.wait(mutex_);
    return *result_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<Result<std::uint32_t>> result_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::uint32_t> wait_for(Executor& executor, SyncobjWaitArgs args) {
  check_may_wait("wait_for syncobjs");
  BlockingCompletion completion;
  SyncobjWait wait(executor, std::move(args), completion);
  wait.start();
  return completion.wait();
}

}  // namespace pantry::driver
