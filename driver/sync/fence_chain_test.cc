// SPDX-License-Identifier: MIT
#include "driver/sync/fence_chain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/sanitizer.h"
#include "driver/kernel/each_executor.h"
#include "driver/sync/fence_merge.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

#if PANTRY_THREAD_SANITIZER || PANTRY_ADDRESS_SANITIZER
constexpr std::uint64_t kMany = 100'000;
#else
constexpr std::uint64_t kMany = 1'000'000;
#endif

Ref<FenceChain> chained(Ref<Fence> previous, Ref<Fence> fence, std::uint64_t point) {
  Ref<FenceChain> node = FenceChain::create();
  node->link(std::move(previous), std::move(fence), point);
  node->arm();
  return node;
}

std::uint64_t length(const Ref<FenceChain>& head) {
  std::uint64_t points = 0;
  for (Ref<Fence> point = head; point; ++points) {
    FenceChain* const chain = FenceChain::of(point.get());
    point = chain ? chain->previous() : nullptr;
  }
  return points;
}

std::uint64_t point_of(const Ref<Fence>& fence) {
  const FenceChain* const chain = FenceChain::of(fence.get());
  return chain ? chain->point() : 0;
}

TEST(FenceChain, SignalsWhenItsFenceAndAllEarlierPointsHave) {
  const auto a = make_ref<TestFence>();
  const auto b = make_ref<TestFence>();
  const Ref<FenceChain> one = chained(nullptr, a, 1);
  const Ref<FenceChain> two = chained(one, b, 2);
  b->signal(TimePoint{1}, 0);
  EXPECT_FALSE(two->signalled());
  a->signal(TimePoint{2}, 0);
  EXPECT_TRUE(one->signalled());
  EXPECT_TRUE(two->signalled());
  EXPECT_EQ(two->timestamp(), TimePoint{2});
}

TEST(FenceChain, CarriesNoError) {
  const auto a = make_ref<TestFence>();
  const Ref<FenceChain> one = chained(nullptr, a, 1);
  a->signal(TimePoint{}, EIO);
  EXPECT_EQ(one->status(), 1);
  EXPECT_EQ(one->contained()->status(), -EIO);
}

TEST(FenceChain, NamesAndNumbers) {
  const Ref<FenceChain> one = chained(nullptr, make_ref<TestFence>(), 10);
  const Ref<FenceChain> two = chained(one, make_ref<TestFence>(), 25);
  EXPECT_STREQ(one->driver_name(), "dma_fence_chain");
  EXPECT_STREQ(one->timeline_name(), "unbound");
  EXPECT_EQ(two->context(), one->context());
  EXPECT_EQ(two->seqno(), 25u);
  EXPECT_EQ(two->previous_point(), 10u);
  EXPECT_EQ(FenceChain::of(two.get()), two.get());
  EXPECT_EQ(FenceChain::of(stub_fence().get()), nullptr);
  // Out of order: the head keeps its value, on a context of its own.
  const Ref<FenceChain> late = chained(two, make_ref<TestFence>(), 15);
  EXPECT_EQ(late->point(), 25u);
  EXPECT_NE(late->context(), two->context());
  EXPECT_EQ(late->previous_point(), 0u);
}

TEST(FenceChain, BeginsBehindABinaryFence) {
  const auto binary = make_ref<TestFence>();
  const Ref<FenceChain> one = chained(binary, stub_fence(), 1);
  EXPECT_FALSE(one->signalled());
  EXPECT_EQ(one->previous(), binary);
  binary->signal(TimePoint{}, 0);
  EXPECT_TRUE(one->signalled());
  EXPECT_EQ(one->previous(), nullptr);
}

TEST(FenceChain, FindsTheFirstPointThatIsHighEnough) {
  const auto gate = make_ref<TestFence>();
  const Ref<FenceChain> ten = chained(nullptr, gate, 10);
  const Ref<FenceChain> twenty = chained(ten, make_ref<TestFence>(), 20);
  const Ref<Fence> thirty = chained(twenty, make_ref<TestFence>(), 30);
  EXPECT_EQ(FenceChain::find(thirty, 1), ten);
  EXPECT_EQ(FenceChain::find(thirty, 10), ten);
  EXPECT_EQ(FenceChain::find(thirty, 11), twenty);
  EXPECT_EQ(FenceChain::find(thirty, 21), thirty);
  EXPECT_EQ(FenceChain::find(thirty, 31), nullptr);
  EXPECT_EQ(FenceChain::find(stub_fence(), 1), nullptr);
  EXPECT_EQ(FenceChain::find(nullptr, 1), nullptr);
  gate->signal(TimePoint{}, 0);
  EXPECT_EQ(FenceChain::find(thirty, 10), stub_fence());
  EXPECT_EQ(FenceChain::find(thirty, 20), twenty);
}

TEST(FenceChain, LastSignalledIsTheHighestPointWithNothingPendingBefore) {
  const auto a = make_ref<TestFence>();
  const auto b = make_ref<TestFence>();
  const auto c = make_ref<TestFence>();
  const Ref<FenceChain> head = chained(chained(chained(nullptr, a, 10), b, 20), c, 30);
  EXPECT_EQ(FenceChain::last_signalled(head), 0u);
  b->signal(TimePoint{}, 0);
  EXPECT_EQ(FenceChain::last_signalled(head), 0u);
  a->signal(TimePoint{}, 0);
  EXPECT_EQ(FenceChain::last_signalled(head), 20u);
  c->signal(TimePoint{}, 0);
  EXPECT_EQ(FenceChain::last_signalled(head), 30u);
}

// A point whose own fence has signalled is taken out, and the points behind it still wait for what
// is left.
TEST(FenceChain, TakesOutPointsThatSayNothing) {
  const auto gate = make_ref<TestFence>();
  const auto middle = make_ref<TestFence>();
  const auto last = make_ref<TestFence>();
  const Ref<FenceChain> one = chained(nullptr, gate, 1);
  Ref<FenceChain> two = chained(one, middle, 2);
  const Ref<FenceChain> three = chained(two, last, 3);
  middle->signal(TimePoint{}, 0);
  EXPECT_EQ(three->previous(), one);
  EXPECT_FALSE(two->signalled());
  two = nullptr;
  last->signal(TimePoint{}, 0);
  EXPECT_FALSE(three->signalled());
  EXPECT_EQ(FenceChain::find(three, 2), one);
  gate->signal(TimePoint{}, 0);
  EXPECT_TRUE(three->signalled());
  EXPECT_EQ(three->previous(), nullptr);
}

TEST(FenceChain, TwoPointsMayFollowTheSameOne) {
  const auto gate = make_ref<TestFence>();
  const Ref<FenceChain> root = chained(nullptr, gate, 1);
  const auto a = make_ref<TestFence>();
  const Ref<FenceChain> left = chained(root, a, 2);
  const Ref<FenceChain> right = chained(root, stub_fence(), 2);
  gate->signal(TimePoint{}, 0);
  EXPECT_TRUE(right->signalled());
  EXPECT_FALSE(left->signalled());
  a->signal(TimePoint{}, 0);
  EXPECT_TRUE(left->signalled());
}

// Everybody who looks agrees that the point has signalled once its fences have, also before its own
// turn has come.
TEST(FenceChain, IsSignalledAsSoonAsItsFencesAre) {
  const auto fence = make_ref<TestFence>();
  Ref<FenceChain> head;
  int looked = 0;
  TestCallback look([&](Fence&) {
    EXPECT_EQ(head->status(), 1);
    EXPECT_EQ(FenceChain::last_signalled(head), 2u);
    ++looked;
  });
  fence->add_callback(look);  // called before the chain is told
  head = chained(chained(nullptr, fence, 1), fence, 2);
  fence->signal(TimePoint{}, 0);
  EXPECT_EQ(looked, 1);
}

TEST(FenceChain, ALongChainSignalsFromItsFirstPoint) {
  const auto gate = make_ref<TestFence>();
  const auto rest = make_ref<TestFence>();
  const Ref<FenceChain> first = chained(nullptr, gate, 1);
  Ref<FenceChain> head = first;
  for (std::uint64_t point = 2; point <= kMany; ++point) head = chained(head, rest, point);
  EXPECT_EQ(length(head), kMany);
  rest->signal(TimePoint{}, 0);
  EXPECT_FALSE(head->signalled());
  int called = 0;
  TestCallback callback([&](Fence&) { ++called; });
  EXPECT_TRUE(head->add_callback(callback));
  gate->signal(TimePoint{}, 0);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(head->signalled());
}

// Everything that looks along a chain: from its head to its end, nothing of which has signalled.
TEST(FenceChain, ALongPendingChainIsWalkedInALoop) {
  const auto gate = make_ref<TestFence>();
  Ref<FenceChain> head;
  for (std::uint64_t point = 1; point <= kMany; ++point) head = chained(head, gate, point);
  EXPECT_EQ(point_of(FenceChain::find(head, 1)), 1u);
  EXPECT_EQ(point_of(FenceChain::find(head, kMany / 2)), kMany / 2);
  EXPECT_EQ(FenceChain::last_signalled(head), 0u);
  EXPECT_EQ(head->status(), 0);
  EXPECT_EQ(leaves(head).value().size(), kMany);
  const Ref<Fence> all[] = {head, gate};
  EXPECT_EQ(merge(all).value(), Ref<Fence>(gate)) << "one fence, however many points wait for it";
  gate->signal(TimePoint{}, 0);
  EXPECT_EQ(head->status(), 1);
  EXPECT_EQ(FenceChain::last_signalled(head), kMany);
}

TEST(FenceChain, ALongPendingChainIsDestroyedInALoop) {
  const auto gate = make_ref<TestFence>();
  Ref<FenceChain> head;
  for (std::uint64_t point = 1; point <= kMany; ++point) head = chained(head, gate, point);
  head = nullptr;
  // Nobody is registered any more.
  gate->signal(TimePoint{}, 0);
}

TEST(FenceChain, ALongPendingChainIsLeftToTheCleanupInASection) {
  for_each_seed(1, [](SimExecutor& executor) {
    if (executor.seed() > 2) return;
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    const auto gate = make_ref<TestFence>();
    Ref<FenceChain> head;
    for (std::uint64_t point = 1; point <= 20'000; ++point) head = chained(head, gate, point);
    {
      const SignallingSection section(cleanup);
      head = nullptr;
    }
    cleanup.drain();
    gate->signal(TimePoint{}, 0);
  });
}

// Each point signals at once while the first one stays pending: only what is needed stays.
TEST(FenceChain, ManySignalledPointsBehindAPendingOneAreCollected) {
  const auto gate = make_ref<TestFence>();
  const Ref<FenceChain> first = chained(nullptr, gate, 1);
  Ref<FenceChain> head = first;
  for (std::uint64_t point = 2; point <= kMany; ++point) {
    head = chained(head, stub_fence(), point);
    ASSERT_EQ(head->previous(), first);
  }
  gate->signal(TimePoint{}, 0);
  EXPECT_TRUE(head->signalled());
  EXPECT_EQ(FenceChain::last_signalled(head), kMany);
}

class CountedFence final : public Fence {
 public:
  explicit CountedFence(int& alive) : Fence(next_context(), 1), alive_(alive) { ++alive_; }
  ~CountedFence() override { --alive_; }
  const char* driver_name() const noexcept override { return "test"; }
  const char* timeline_name() const noexcept override { return "counted"; }

 private:
  int& alive_;
};

// Points in the middle signal behind pending ones, so that adding has to walk now and then; nobody
// else does.
TEST(FenceChain, StaysShortWithAStreamOfJobsBehindABlockedOne) {
  constexpr std::size_t kDepth = 100;
  const auto gate = make_ref<TestFence>();
  Ref<FenceChain> head = chained(nullptr, gate, 1);
  int alive = 0;
  int most = 0;
  std::vector<Ref<CountedFence>> in_flight;
  for (std::uint64_t point = 2; point <= 20'000; ++point) {
    in_flight.push_back(make_ref<CountedFence>(alive));
    head = chained(head, in_flight.back(), point);
    if (in_flight.size() > kDepth) {
      in_flight.front()->signal(TimePoint{}, 0);
      in_flight.erase(in_flight.begin());
    }
    most = std::max(most, alive);
  }
  EXPECT_LE(most, static_cast<int>(4 * kDepth));
  for (const auto& fence : in_flight) fence->signal(TimePoint{}, 0);
  EXPECT_FALSE(head->signalled());
  gate->signal(TimePoint{}, 0);
  EXPECT_TRUE(head->signalled());
  in_flight.clear();
  head = nullptr;
  EXPECT_EQ(alive, 0);
}

TEST(FenceChain, SignallingAndWalkingAllocateAndFreeNothing) {
  for_each_seed(1, [](SimExecutor& executor) {
    if (executor.seed() > 5) return;
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    stub_fence();
    const auto gate = make_ref<TestFence>();
    const auto rest = make_ref<TestFence>();
    Ref<FenceChain> head = chained(nullptr, gate, 1);
    for (std::uint64_t point = 2; point <= 50; ++point) head = chained(head, rest, point);
    Ref<FenceChain> next = FenceChain::create();
    {
      const SignallingSection section(cleanup);
      rest->signal(executor.clock().now(), 0);
      EXPECT_EQ(FenceChain::last_signalled(head), 0u);
      next->link(head, rest, 51);
      next->arm();
      gate->signal(executor.clock().now(), 0);
      EXPECT_EQ(FenceChain::last_signalled(next), 51u);
      head = nullptr;
      next = nullptr;
    }
    cleanup.drain();
  });
}

// Fences signal, walkers walk and points are dropped, all at once: every point that is kept signals
// exactly when it should.
TEST(FenceChain, WalksRaceWithSignals) {
  for_each_executor(1, [](Executor& executor) {
    constexpr int kPoints = 24;
    std::vector<Ref<TestFence>> fences;
    std::vector<Ref<FenceChain>> kept;
    Ref<FenceChain> head;
    for (int i = 0; i < kPoints; ++i) {
      fences.push_back(make_ref<TestFence>());
      head = chained(head, fences.back(), static_cast<std::uint64_t>(i) + 1);
      if (i % 3 == 0) kept.push_back(head);
    }
    auto signal_from = [&](int first) {
      for (int i = first; i < kPoints; i += 2) {
        fences[static_cast<std::size_t>(i)]->signal(executor.clock().now(), 0);
        executor.clock().sleep(nanoseconds(100));
      }
    };
    auto even = test_thread([&] { signal_from(0); });
    auto odd = test_thread([&] { signal_from(1); });
    auto walk = [&] {
      std::uint64_t last = 0;
      while (!head->signalled()) {
        const std::uint64_t now = FenceChain::last_signalled(head);
        EXPECT_GE(now, last);
        last = now;
        const Ref<Fence> found = FenceChain::find(head, last + 1);
        EXPECT_EQ(static_cast<bool>(found), last < kPoints) << "nothing is beyond the last point";
        executor.clock().sleep(nanoseconds(150));
      }
    };
    auto walker = test_thread(walk);
    auto other = test_thread(walk);
    executor.spawn("even", even);
    executor.spawn("odd", odd);
    executor.spawn("walker", walker);
    executor.spawn("other", other);
    for (const Ref<FenceChain>& point : kept) {
      EXPECT_TRUE(wait_for(*point, TimePoint::never()));
      for (std::uint64_t i = 0; i < point_of(point); ++i) EXPECT_TRUE(fences[i]->signalled());
    }
    executor.join_spawned();
    EXPECT_EQ(FenceChain::last_signalled(head), static_cast<std::uint64_t>(kPoints));
  });
}

}  // namespace
}  // namespace pantry::driver
