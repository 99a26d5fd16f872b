// SPDX-License-Identifier: MIT
#include "driver/sync/syncobj_event.h"

#include <gtest/gtest.h>

#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

using When = SyncobjEvent::When;

// What has become of an event.
struct Fate {
  std::atomic<int> fired{0};
  std::atomic<int> on_lane{0};  // so often by an item of a lane that may not wait
  std::atomic<int> let_go{0};
  std::atomic<int> destroyed{0};
};

class TestEvent final : public SyncobjEvent {
 public:
  TestEvent(Executor& executor, Fate& fate, std::uint64_t point, When when)
      : SyncobjEvent(executor.lane(Lane::kCleanup), point, when), fate_(fate) {}

 private:
  ~TestEvent() override { ++fate_.destroyed; }
  void fire() noexcept override {
    ++fate_.fired;
    fate_.on_lane += WorkLane::in_item_that_may_not_wait() ? 1 : 0;
  }
  void let_go() noexcept override { ++fate_.let_go; }
  Fate& fate_;
};

struct SyncobjEventTest {
  explicit SyncobjEventTest(Executor& on) : executor(on) {}
  void add(Syncobj& to, Fate& fate, std::uint64_t point = 0, When when = When::kSignalled) {
    to.add_event(make_ref<TestEvent>(executor, fate, point, when));
  }
  // Until all have let go.
  void settle() { executor.lane(Lane::kCleanup).drain(); }
  Executor& executor;
};

TEST_EACH_EXECUTOR(SyncobjEventTest, HappensAtOnceWhenItIsTime) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  Fate signalled, available;
  syncobj->replace(stub_fence());
  add(*syncobj, signalled);
  EXPECT_EQ(signalled.fired, 1);
  EXPECT_EQ(signalled.let_go, 1);
  syncobj->replace(make_ref<TestFence>());
  add(*syncobj, available, 0, When::kAvailable);
  EXPECT_EQ(available.fired, 1);
}

TEST_EACH_EXECUTOR(SyncobjEventTest, HappensOnce) {
  Ref<Syncobj> syncobj = Syncobj::create();
  Fate fate;
  add(*syncobj, fate);
  syncobj->replace(nullptr);
  EXPECT_EQ(fate.fired, 0);
  for (int i = 0; i < 3; ++i) {
    syncobj->replace(stub_fence());
    EXPECT_EQ(fate.fired, 1);
  }
  settle();
  EXPECT_EQ(fate.fired, 1);
  EXPECT_EQ(fate.let_go, 1);
  syncobj = nullptr;
  EXPECT_EQ(fate.destroyed, 1);
}

TEST_EACH_EXECUTOR(SyncobjEventTest, FollowsTheFenceThatReachesItsPoint) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  Fate signalled, available;
  add(*syncobj, signalled, 2);
  add(*syncobj, available, 2, When::kAvailable);
  syncobj->add_point(FenceChain::create(), stub_fence(), 1);
  EXPECT_EQ(signalled.fired + available.fired, 0);
  const auto fence = make_ref<TestFence>();
  syncobj->add_point(FenceChain::create(), fence, 3);
  EXPECT_EQ(signalled.fired, 0);
  EXPECT_EQ(available.fired, 1);
  syncobj->replace(nullptr);  // it has its fence
  fence->signal({1}, 0);
  EXPECT_EQ(signalled.fired, 1);
  settle();
}

TEST_EACH_EXECUTOR(SyncobjEventTest, HappensInASection) {
  Ref<Syncobj> syncobj = Syncobj::create();
  Fate available, signalled;
  add(*syncobj, available, 0, When::kAvailable);
  add(*syncobj, signalled);
  Cleanup cleanup(executor.lane(Lane::kCleanup));
  const auto fence = make_ref<TestFence>();
  {
    const SignallingSection section(cleanup);
    syncobj->replace(fence);
    EXPECT_EQ(available.fired, 1);
    fence->signal({1}, 0);
    EXPECT_EQ(signalled.fired, 1);
  }
  syncobj = nullptr;
  settle();
  EXPECT_EQ(available.destroyed, 1);
  EXPECT_EQ(signalled.destroyed, 1);
}

// Of a lane's own time it takes none.
TEST_EACH_EXECUTOR(SyncobjEventTest, HappensOnTheCleanupLaneWhenALaneSignals) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  const auto fence = make_ref<TestFence>();
  syncobj->replace(fence);
  Fate fate;
  add(*syncobj, fate);
  class Signals final : public Work {
   public:
    Signals(TestFence& fence, const Fate& fate) : fence_(fence), fate_(fate) {}
    int fired_by_then = -1;

   private:
    void run() override {
      fence_.signal({1}, 0);
      fired_by_then = fate_.on_lane;
    }
    TestFence& fence_;
    const Fate& fate_;
  } signals(*fence, fate);
  executor.lane(Lane::kIrq).queue(signals);
  executor.lane(Lane::kIrq).drain();
  settle();
  EXPECT_EQ(fate.fired, 1);
  EXPECT_EQ(signals.fired_by_then, 0);
}

TEST_EACH_EXECUTOR(SyncobjEventTest, GoesWithTheSyncobjUnlessItHasItsFence) {
  Ref<Syncobj> syncobj = Syncobj::create();
  Fate without, with;
  add(*syncobj, without, 1);
  const auto fence = make_ref<TestFence>();
  syncobj->replace(fence);
  add(*syncobj, with);
  syncobj = nullptr;
  EXPECT_EQ(without.destroyed, 1);
  EXPECT_EQ(with.destroyed, 0);
  fence->signal({1}, 0);
  EXPECT_EQ(without.fired, 0);
  EXPECT_EQ(with.fired, 1);
  settle();
  EXPECT_EQ(with.destroyed, 1);
}

// Those that are over go when others come.
TEST_EACH_EXECUTOR(SyncobjEventTest, DoNotPileUp) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  syncobj->replace(stub_fence());
  Fate fate;
  for (int i = 0; i < 100; ++i) add(*syncobj, fate);
  EXPECT_EQ(fate.fired, 100);
  EXPECT_GT(fate.destroyed, 90);
}

TEST_EACH_EXECUTOR(SyncobjEventTest, RegistrationChangeSignalAndEndMayMeet) {
  constexpr int kEvents = 4;
  Ref<Syncobj> syncobj = Syncobj::create();
  const auto fence = make_ref<TestFence>();
  Fate fate;
  auto changes = test_thread([&, mine = syncobj]() mutable {
    mine->replace(fence);
    mine = nullptr;
  });
  auto signals = test_thread([&] { fence->signal({1}, 0); });
  executor.spawn("changes", changes);
  executor.spawn("signals", signals);
  for (int i = 0; i < kEvents; ++i) add(*syncobj, fate);
  syncobj = nullptr;
  executor.join_spawned();
  settle();
  // The change comes in the end, if not before the last reference goes.
  EXPECT_EQ(fate.fired, kEvents);
  EXPECT_EQ(fate.destroyed, kEvents);
}

}  // namespace
}  // namespace pantry::driver
