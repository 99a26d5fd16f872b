// SPDX-License-Identifier: MIT
#include "driver/sync/fence_merge.h"

#include <gtest/gtest.h>

#include "driver/kernel/each_executor.h"
#include "driver/sync/fence_array.h"
#include "driver/sync/fence_chain.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

Ref<Fence> merged(std::vector<Ref<Fence>> fences) { return merge(fences).value(); }

TEST(Merge, OfNothingPendingIsAStubWithTheLastTime) {
  const auto early = make_ref<TestFence>();
  const auto late = make_ref<TestFence>();
  early->signal(TimePoint{5}, EIO);
  late->signal(TimePoint{9}, 0);
  const Ref<Fence> none = merged({late, early});
  EXPECT_EQ(none->status(), 1);
  EXPECT_STREQ(none->driver_name(), "stub");
  EXPECT_EQ(none->timestamp(), TimePoint{9});
  EXPECT_EQ(merged({})->status(), 1);
}

TEST(Merge, OfOnePendingIsThatOne) {
  const auto done = make_ref<TestFence>();
  done->signal(TimePoint{}, EIO);
  const auto pending = make_ref<TestFence>();
  EXPECT_EQ(merged({done, pending, pending}), pending);
}

TEST(Merge, KeepsTheLatestOfEachContext) {
  const std::uint64_t context = Fence::next_context();
  const auto one = make_ref<TestFence>(context, 1);
  const auto two = make_ref<TestFence>(context, 2);
  EXPECT_EQ(merged({two, one}), two);
  EXPECT_EQ(merged({one, two}), two);
}

TEST(Merge, TakesContainersApart) {
  const auto a = make_ref<TestFence>();
  const auto b = make_ref<TestFence>();
  const auto c = make_ref<TestFence>();
  const Ref<Fence> pair = merged({a, b});
  ASSERT_TRUE(dynamic_cast<FenceArray*>(pair.get()));
  EXPECT_STREQ(pair->driver_name(), "dma_fence_array");
  Ref<FenceChain> node = FenceChain::create();
  node->link(c, pair, 1);
  node->arm();
  const auto inside = leaves(node).value();
  EXPECT_EQ(inside, (std::vector<Ref<Fence>>{a, b, c}));
  const Ref<Fence> all = merged({node, a});
  const auto* const array = dynamic_cast<FenceArray*>(all.get());
  ASSERT_TRUE(array);
  EXPECT_EQ(array->fences().size(), 3u);
  a->signal(TimePoint{}, 0);
  b->signal(TimePoint{}, 0);
  EXPECT_TRUE(pair->signalled());
  EXPECT_FALSE(node->signalled());
  EXPECT_FALSE(all->signalled());
  c->signal(TimePoint{4}, 0);
  EXPECT_TRUE(node->signalled());
  EXPECT_EQ(all->status(), 1);
  EXPECT_EQ(all->timestamp(), TimePoint{4});
}

TEST(FenceArray, CarriesTheFirstError) {
  const auto a = make_ref<TestFence>();
  const auto b = make_ref<TestFence>();
  const auto c = make_ref<TestFence>();
  const Ref<Fence> all = merged({a, b, c});
  b->signal(TimePoint{}, EIO);
  a->signal(TimePoint{}, ECANCELED);
  EXPECT_EQ(all->status(), 0);
  c->signal(TimePoint{}, 0);
  EXPECT_EQ(all->status(), -EIO);
}

TEST(FenceArray, MayBeDroppedWhilePending) {
  const auto a = make_ref<TestFence>();
  const auto b = make_ref<TestFence>();
  merged({a, b});
  a->signal(TimePoint{}, 0);
  b->signal(TimePoint{}, 0);
}

TEST(FenceArray, SignalsOnceWhenItsFencesSignalTogether) {
  for_each_executor(1, [](Executor& executor) {
    std::vector<Ref<Fence>> fences;
    for (int i = 0; i < 3; ++i) fences.push_back(make_ref<TestFence>());
    const Ref<Fence> all = merged(fences);
    auto first = test_thread([&] { fences[0]->signal(executor.clock().now(), 0); });
    auto second = test_thread([&] { fences[1]->signal(executor.clock().now(), EIO); });
    auto third = test_thread([&] { fences[2]->signal(executor.clock().now(), 0); });
    executor.spawn("first", first);
    executor.spawn("second", second);
    executor.spawn("third", third);
    EXPECT_TRUE(wait_for(*all, TimePoint::never()));
    for (const Ref<Fence>& fence : fences) EXPECT_TRUE(fence->signalled());
    EXPECT_EQ(all->status(), -EIO);
    executor.join_spawned();
  });
}

}  // namespace
}  // namespace pantry::driver
