// SPDX-License-Identifier: MIT
#include "driver/sync/syncobj_wait.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

using Want = SyncobjWaitArgs::Want;
using Unsubmitted = SyncobjWaitArgs::Unsubmitted;
using Answer = Result<std::uint32_t>;

class Recorder final : public SyncobjWait::Completion {
 public:
  void on_wait_done(Answer result) noexcept override {
    MutexLock lock(mutex_);
    ++calls_;
    result_ = result;
    changed_.notify_all();
  }
  bool done() {
    MutexLock lock(mutex_);
    return calls_ != 0;
  }
  // Waits for the completion; exactly one must have come.
  Answer result() {
    MutexLock lock(mutex_);
    while (calls_ == 0) changed_.wait(mutex_);
    EXPECT_EQ(calls_, 1);
    return *result_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int calls_ PANTRY_GUARDED_BY(mutex_) = 0;
  std::optional<Answer> result_ PANTRY_GUARDED_BY(mutex_);
};

SyncobjWaitArgs args_for(std::vector<Ref<Syncobj>> syncobjs, Want want, Unsubmitted unsubmitted) {
  SyncobjWaitArgs args;
  args.points.resize(syncobjs.size());
  args.syncobjs = std::move(syncobjs);
  args.deadline = TimePoint::never();
  args.want = want;
  args.unsubmitted = unsubmitted;
  return args;
}

Answer poll(Executor& executor, SyncobjWaitArgs args) {
  args.deadline = TimePoint{};
  return wait_for(executor, std::move(args));
}

constexpr Errno error_of(const Answer& answer) { return answer.error(); }

TEST(SyncobjWait, PollsWithoutWaiting) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> done = Syncobj::create();
    const Ref<Syncobj> pending = Syncobj::create();
    const Ref<Syncobj> empty = Syncobj::create();
    const auto fence = make_ref<TestFence>();
    done->replace(stub_fence());
    pending->replace(fence);
    const auto fail = Unsubmitted::kFail;
    EXPECT_EQ(poll(executor, args_for({done}, Want::kAny, fail)), 0u);
    EXPECT_EQ(poll(executor, args_for({pending, done, done}, Want::kAny, fail)), 1u);
    EXPECT_EQ(error_of(poll(executor, args_for({pending}, Want::kAny, fail))), Errno::kTime);
    EXPECT_EQ(error_of(poll(executor, args_for({pending, done}, Want::kAll, fail))), Errno::kTime);
    EXPECT_EQ(poll(executor, args_for({done, done}, Want::kAll, fail)), 0u);
    // A missing fence fails the wait even when another one is signalled.
    EXPECT_EQ(error_of(poll(executor, args_for({done, empty}, Want::kAny, fail))), Errno::kInval);
    EXPECT_EQ(poll(executor, args_for({empty, done}, Want::kAny, Unsubmitted::kWait)), 1u);
    EXPECT_EQ(error_of(poll(executor, args_for({empty}, Want::kAny, Unsubmitted::kWait))),
              Errno::kTime);
    EXPECT_EQ(error_of(poll(executor, args_for({empty}, Want::kAny, Unsubmitted::kEnough))),
              Errno::kTime);
    EXPECT_EQ(poll(executor, args_for({empty, pending}, Want::kAny, Unsubmitted::kEnough)), 1u);
    EXPECT_EQ(poll(executor, args_for({}, Want::kAny, fail)), SyncobjWait::kNone);
    fence->signal(TimePoint{}, EIO);  // an error counts as signalled
    EXPECT_EQ(poll(executor, args_for({pending}, Want::kAny, fail)), 0u);
  });
}

TEST(SyncobjWait, APointThatIsNotSubmittedIsAMissingFence) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> timeline = Syncobj::create();
    timeline->add_point(FenceChain::create(), stub_fence(), 5);
    SyncobjWaitArgs args = args_for({timeline}, Want::kAny, Unsubmitted::kFail);
    args.points = {6};
    EXPECT_EQ(error_of(poll(executor, args)), Errno::kInval);
    args.points = {5};
    EXPECT_EQ(poll(executor, args), 0u);
  });
}

TEST(SyncobjWait, WaitsForAnyOrAll) {
  for_each_executor(1, [](Executor& executor) {
    for (const Want want : {Want::kAny, Want::kAll}) {
      const Ref<Syncobj> a = Syncobj::create();
      const Ref<Syncobj> b = Syncobj::create();
      const auto fence_a = make_ref<TestFence>();
      const auto fence_b = make_ref<TestFence>();
      a->replace(fence_a);
      b->replace(fence_b);
      auto signaller = test_thread([&] {
        fence_b->signal(executor.clock().now(), 0);
        fence_a->signal(executor.clock().now(), 0);
      });
      Recorder recorder;
      SyncobjWait wait(executor, args_for({a, b}, want, Unsubmitted::kFail), recorder);
      wait.start();
      executor.spawn("signaller", signaller);
      const Answer answer = recorder.result();
      EXPECT_TRUE(fence_b->signalled());
      if (want == Want::kAny) {
        EXPECT_EQ(answer, 1u);
      } else {
        EXPECT_EQ(answer, SyncobjWait::kNone);
        EXPECT_TRUE(fence_a->signalled());
      }
      executor.join_spawned();
    }
  });
}

TEST(SyncobjWait, AllReportsWhatWasSignalledAtEntry) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> a = Syncobj::create();
    const Ref<Syncobj> b = Syncobj::create();
    const auto fence = make_ref<TestFence>();
    a->replace(fence);
    b->replace(stub_fence());
    auto signaller = test_thread([&] { fence->signal(executor.clock().now(), 0); });
    Recorder recorder;
    SyncobjWait wait(executor, args_for({a, b}, Want::kAll, Unsubmitted::kFail), recorder);
    wait.start();
    EXPECT_FALSE(recorder.done());
    executor.spawn("signaller", signaller);
    EXPECT_EQ(recorder.result(), 1u);
    executor.join_spawned();
  });
}

TEST(SyncobjWait, EndsAtItsDeadline) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> empty = Syncobj::create();
    SyncobjWaitArgs args = args_for({empty}, Want::kAny, Unsubmitted::kWait);
    args.deadline = executor.clock().now() + milliseconds(1);
    EXPECT_EQ(error_of(wait_for(executor, args)), Errno::kTime);
    EXPECT_GE(executor.clock().now(), args.deadline);
  });
}

TEST(SyncobjWait, SubmittedIsEnoughForSome) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> timeline = Syncobj::create();
    const auto fence = make_ref<TestFence>();
    auto submitter = test_thread([&] {
      timeline->add_point(FenceChain::create(), fence, 1);
      timeline->add_point(FenceChain::create(), fence, 9);
    });
    SyncobjWaitArgs args = args_for({timeline}, Want::kAll, Unsubmitted::kEnough);
    args.points = {5};
    Recorder recorder;
    SyncobjWait wait(executor, args, recorder);
    wait.start();
    executor.spawn("submitter", submitter);
    EXPECT_EQ(recorder.result(), SyncobjWait::kNone);
    EXPECT_EQ(timeline->query(Syncobj::Query::kLastSubmitted), 9u);
    executor.join_spawned();
    fence->signal(executor.clock().now(), 0);
  });
}

// The fence counts that the syncobj had first: a reset afterwards does not matter, nor does another
// fence.
TEST(SyncobjWait, KeepsTheFenceItFoundFirst) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> a = Syncobj::create();
    const Ref<Syncobj> b = Syncobj::create();
    const auto fence_a = make_ref<TestFence>();
    const auto fence_b = make_ref<TestFence>();
    a->replace(fence_a);
    Recorder recorder;
    SyncobjWait wait(executor, args_for({a, b}, Want::kAll, Unsubmitted::kWait), recorder);
    wait.start();
    auto resetter = test_thread([&] {
      a->replace(nullptr);
      b->replace(fence_b);
      b->replace(nullptr);
      b->replace(stub_fence());
    });
    executor.spawn("resetter", resetter);
    executor.join_spawned();
    EXPECT_FALSE(recorder.done());
    fence_a->signal(executor.clock().now(), 0);
    EXPECT_FALSE(recorder.done());
    fence_b->signal(executor.clock().now(), 0);
    EXPECT_EQ(recorder.result(), SyncobjWait::kNone);
  });
}

TEST(SyncobjWait, CancelInterrupts) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> a = Syncobj::create();
    Recorder recorder;
    SyncobjWait wait(executor, args_for({a}, Want::kAny, Unsubmitted::kWait), recorder);
    wait.start();
    wait.cancel();
    EXPECT_EQ(error_of(recorder.result()), Errno::kIntr);
    wait.cancel();
    a->replace(stub_fence());
    EXPECT_EQ(error_of(recorder.result()), Errno::kIntr);
  });
}

TEST(SyncobjWait, CancelledBeforeItStarts) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> a = Syncobj::create();
    Recorder recorder;
    SyncobjWait wait(executor, args_for({a}, Want::kAny, Unsubmitted::kWait), recorder);
    wait.cancel();
    EXPECT_FALSE(recorder.done());
    wait.start();
    EXPECT_EQ(error_of(recorder.result()), Errno::kIntr);
  });
}

TEST(SyncobjWait, ThatWasNeverStartedMayGo) {
  for_each_executor(1, [](Executor& executor) {
    Recorder recorder;
    {
      SyncobjWait wait(executor, args_for({Syncobj::create()}, Want::kAny, Unsubmitted::kWait),
                       recorder);
    }
    EXPECT_FALSE(recorder.done());
  });
}

// Deadline, cancel, signal, submit and reset race; exactly one of them ends the wait, which is then
// destroyed at once.
TEST(SyncobjWait, EndsOnceWhateverRaces) {
  for_each_executor(1, [](Executor& executor) {
    for (int round = 0; round < 8; ++round) {
      const Ref<Syncobj> a = Syncobj::create();
      const Ref<Syncobj> b = Syncobj::create();
      const auto fence = make_ref<TestFence>();
      b->replace(fence);
      Recorder recorder;
      SyncobjWaitArgs args =
          args_for({a, b, a, b}, round % 2 != 0 ? Want::kAny : Want::kAll, Unsubmitted::kWait);
      args.deadline = executor.clock().now() + microseconds(1 + 2 * (round % 4));
      std::optional<SyncobjWait> wait(std::in_place, executor, args, recorder);
      Mutex mutex;
      CondVar over;
      bool cancelled = false;
      auto changer = test_thread([&] {
        a->add_point(FenceChain::create(), fence, 1);
        fence->signal(executor.clock().now(), 0);
        a->replace(nullptr);
      });
      auto canceller = test_thread([&] {
        executor.clock().sleep(microseconds(2));
        wait->cancel();
        MutexLock lock(mutex);
        cancelled = true;
        over.notify_all();
      });
      executor.spawn("changer", changer);
      executor.spawn("canceller", canceller);
      wait->start();
      const Answer answer = recorder.result();
      if (answer)
        EXPECT_TRUE(*answer < 4 || *answer == SyncobjWait::kNone);
      else
        EXPECT_TRUE(answer.error() == Errno::kTime || answer.error() == Errno::kIntr);
      {
        MutexLock lock(mutex);
        while (!cancelled) over.wait(mutex);
      }
      wait.reset();
      executor.join_spawned();
    }
  });
}

TEST(SyncobjWait, SignallingAWaitAllocatesNothing) {
  for_each_seed(1, [](SimExecutor& executor) {
    if (executor.seed() > 5) return;
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    const Ref<Syncobj> a = Syncobj::create();
    const Ref<Syncobj> b = Syncobj::create();
    const auto fence = make_ref<TestFence>();
    SyncobjWaitArgs args = args_for({a, b}, Want::kAll, Unsubmitted::kWait);
    args.points = {0, 3};
    Recorder recorder;
    SyncobjWait wait(executor, args, recorder);
    wait.start();
    Ref<FenceChain> node = FenceChain::create();
    {
      const SignallingSection section(cleanup);
      a->replace(fence);
      b->add_point(std::move(node), fence, 4);
      fence->signal(executor.clock().now(), 0);
    }
    EXPECT_EQ(recorder.result(), SyncobjWait::kNone);
    cleanup.drain();
  });
}

// A pending fence that counts who asks whether it has signalled.
class AskedFence final : public Fence {
 public:
  AskedFence() : Fence(next_context(), 1) {}
  const char* driver_name() const noexcept override { return "test"; }
  const char* timeline_name() const noexcept override { return "asked"; }
  std::size_t asked() const { return asked_; }

 private:
  int early_status() const noexcept override {
    ++asked_;
    return kPending;
  }
  mutable std::atomic<std::size_t> asked_ = 0;
};

// One signal satisfies many entries behind many that are pending: it looks at each of those once,
// not once for every entry that it satisfies.
TEST(SyncobjWait, ASignalOfManyEntriesLooksForTheFirstOnce) {
  for_each_executor(1, [](Executor& executor) {
    constexpr std::uint32_t kHalf = 200;
    const Ref<Syncobj> pending = Syncobj::create();
    const Ref<Syncobj> signalled = Syncobj::create();
    const auto fence = make_ref<AskedFence>();
    pending->replace(fence);
    std::vector<Ref<Syncobj>> syncobjs(kHalf, pending);
    syncobjs.insert(syncobjs.end(), kHalf, signalled);
    Recorder recorder;
    SyncobjWait wait(executor, args_for(std::move(syncobjs), Want::kAny, Unsubmitted::kWait),
                     recorder);
    wait.start();
    const std::size_t before = fence->asked();
    signalled->replace(stub_fence());
    EXPECT_EQ(recorder.result(), kHalf);
    EXPECT_EQ(fence->asked() - before, kHalf);
    fence->signal(executor.clock().now(), 0);
  });
}

}  // namespace
}  // namespace pantry::driver
