// SPDX-License-Identifier: MIT
#include "driver/sync/syncobj.h"

#include <gtest/gtest.h>

#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

using Query = Syncobj::Query;

Ref<TestFence> add_pending(Syncobj& syncobj, std::uint64_t point) {
  const auto fence = make_ref<TestFence>();
  syncobj.add_point(FenceChain::create(), fence, point);
  return fence;
}

void signal_point(Syncobj& syncobj, std::uint64_t point) {
  syncobj.add_point(FenceChain::create(), stub_fence(), point);
}

template <class Function>
class TestWatcher final : public Syncobj::Watcher {
 public:
  explicit TestWatcher(Function function) : function_(std::move(function)) {}
  void on_changed(Syncobj& syncobj) noexcept override { function_(syncobj); }

 private:
  Function function_;
};

TEST(Syncobj, HoldsNothingAtFirst) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  EXPECT_FALSE(syncobj->fence());
  EXPECT_EQ(syncobj->find(0).error(), Errno::kInval);
  EXPECT_EQ(syncobj->find(1).error(), Errno::kInval);
  EXPECT_EQ(syncobj->query(Query::kLastSignalled), 0u);
}

TEST(Syncobj, BinaryHoldsTheLastFence) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  const auto fence = make_ref<TestFence>();
  syncobj->replace(fence);
  EXPECT_EQ(syncobj->find(0).value(), fence);
  EXPECT_EQ(syncobj->find(1).error(), Errno::kInval);
  EXPECT_EQ(syncobj->query(Query::kLastSubmitted), 0u);
  syncobj->replace(stub_fence());
  EXPECT_EQ(syncobj->find(0).value(), stub_fence());
  syncobj->replace(nullptr);
  EXPECT_EQ(syncobj->find(0).error(), Errno::kInval);
}

TEST(Syncobj, TimelineQueries) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  const auto ten = add_pending(*syncobj, 10);
  const auto twenty = add_pending(*syncobj, 20);
  EXPECT_EQ(syncobj->query(Query::kLastSignalled), 0u);
  EXPECT_EQ(syncobj->query(Query::kLastSubmitted), 20u);
  EXPECT_EQ(syncobj->find(21).error(), Errno::kInval);
  const Ref<Fence> at_fifteen = syncobj->find(15).value();
  ten->signal(TimePoint{}, 0);
  EXPECT_EQ(syncobj->query(Query::kLastSignalled), 10u);
  EXPECT_TRUE(syncobj->find(10).value()->signalled());
  EXPECT_FALSE(at_fifteen->signalled());
  twenty->signal(TimePoint{}, EIO);  // a failed point counts as signalled
  EXPECT_EQ(syncobj->query(Query::kLastSignalled), 20u);
  EXPECT_EQ(at_fifteen->status(), 1);
}

// Errata B.6.
TEST(Syncobj, OutOfOrderSignalsSucceedAndTheQueryStays) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  signal_point(*syncobj, 20);
  signal_point(*syncobj, 15);
  EXPECT_EQ(syncobj->query(Query::kLastSignalled), 20u);
  EXPECT_TRUE(syncobj->find(20).value()->signalled());
}

TEST(Syncobj, OutOfOrderPointsWaitForAllBefore) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  const auto high = add_pending(*syncobj, 20);
  const auto low = add_pending(*syncobj, 15);
  const Ref<Fence> head = syncobj->find(15).value();
  low->signal(TimePoint{}, 0);
  EXPECT_FALSE(head->signalled());
  high->signal(TimePoint{}, 0);
  EXPECT_TRUE(head->signalled());
  EXPECT_EQ(syncobj->query(Query::kLastSignalled), 20u);
}

TEST(Syncobj, ReplacingEndsATimeline) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  const auto ten = add_pending(*syncobj, 10);
  const Ref<Fence> waited = syncobj->find(10).value();
  syncobj->replace(stub_fence());
  EXPECT_EQ(syncobj->find(10).error(), Errno::kInval);
  EXPECT_EQ(syncobj->query(Query::kLastSubmitted), 0u);
  signal_point(*syncobj, 3);
  EXPECT_EQ(syncobj->query(Query::kLastSignalled), 3u);
  ten->signal(TimePoint{}, 0);
  EXPECT_TRUE(waited->signalled());
}

TEST(Syncobj, AChainInAChainIsABug) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  signal_point(*syncobj, 1);
  EXPECT_DEATH(Syncobj::create()->add_point(FenceChain::create(), syncobj->fence(), 1),
               "of\\(fence");
}

TEST(Syncobj, TellsWatchersInOrderAndWhatTheyAreTold) {
  const Ref<Syncobj> syncobj = Syncobj::create();
  std::vector<int> told;
  TestWatcher first([&](Syncobj& changed) { told.push_back(changed.fence() ? 1 : -1); });
  TestWatcher second([&](Syncobj& changed) { told.push_back(changed.fence() ? 2 : -2); });
  syncobj->watch(first);
  syncobj->watch(second);
  syncobj->replace(stub_fence());
  syncobj->replace(nullptr);
  syncobj->unwatch(first);
  signal_point(*syncobj, 1);
  syncobj->unwatch(second);
  syncobj->unwatch(second);
  syncobj->replace(nullptr);
  EXPECT_EQ(told, (std::vector<int>{1, 2, -1, -2, 2}));
}

// A reset right after a signal does not hide the signal from a watcher, whoever else changes the
// syncobj at that time.
TEST(Syncobj, EveryChangeIsSeenByEveryWatcher) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> syncobj = Syncobj::create();
    int fences = 0;
    int changes = 0;
    TestWatcher watcher([&](Syncobj& changed) {
      ++changes;
      if (changed.fence()) ++fences;
    });
    syncobj->watch(watcher);
    constexpr int kRounds = 10;
    auto toggle = [&] {
      for (int i = 0; i < kRounds; ++i) {
        syncobj->replace(stub_fence());
        syncobj->replace(nullptr);
      }
    };
    auto a = test_thread(toggle);
    auto b = test_thread(toggle);
    executor.spawn("a", a);
    executor.spawn("b", b);
    executor.join_spawned();
    syncobj->unwatch(watcher);
    EXPECT_EQ(changes, 4 * kRounds);
    EXPECT_EQ(fences, 2 * kRounds);
  });
}

TEST(Syncobj, UnwatchWaitsForTheCallInProgress) {
  for_each_executor(1, [](Executor& executor) {
    const Ref<Syncobj> syncobj = Syncobj::create();
    auto changer = test_thread([&] {
      for (int i = 0; i < 5; ++i) syncobj->replace(stub_fence());
    });
    bool alive = true;
    int others = 0;
    TestWatcher other([&](Syncobj&) { ++others; });
    TestWatcher watcher([&](Syncobj&) {
      EXPECT_TRUE(alive);
      executor.clock().sleep(microseconds(1));
      EXPECT_TRUE(alive);
    });
    syncobj->watch(watcher);
    syncobj->watch(other);
    executor.spawn("changer", changer);
    executor.clock().sleep(microseconds(2));
    syncobj->unwatch(watcher);
    alive = false;
    executor.join_spawned();
    syncobj->unwatch(other);
    EXPECT_EQ(others, 5);
  });
}

TEST(Syncobj, PublishingAllocatesNothing) {
  for_each_seed(1, [](SimExecutor& executor) {
    if (executor.seed() > 5) return;
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    const Ref<Syncobj> syncobj = Syncobj::create();
    const auto fence = make_ref<TestFence>();
    std::vector<Ref<FenceChain>> nodes;
    for (int i = 0; i < 40; ++i) nodes.push_back(FenceChain::create());
    {
      const SignallingSection section(cleanup);
      syncobj->replace(fence);
      for (std::uint64_t point = 1; Ref<FenceChain> & node : nodes)
        syncobj->add_point(std::move(node), point % 2 != 0 ? Ref<Fence>(fence) : stub_fence(),
                           point / 2 + 3),
            ++point;
      fence->signal(executor.clock().now(), 0);
      EXPECT_EQ(syncobj->query(Query::kLastSignalled), 23u);
      syncobj->replace(nullptr);
    }
    cleanup.drain();
  });
}

}  // namespace
}  // namespace pantry::driver
