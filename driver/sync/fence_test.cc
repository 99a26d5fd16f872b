// SPDX-License-Identifier: MIT
#include "driver/sync/fence.h"

#include <gtest/gtest.h>

#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/sync/derived_fence.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

TEST(Fence, SignalsOnceWithItsErrorAndTime) {
  const auto fence = make_ref<TestFence>();
  EXPECT_FALSE(fence->signalled());
  EXPECT_EQ(fence->status(), 0);
  fence->signal(TimePoint{7}, ECANCELED);
  EXPECT_TRUE(fence->signalled());
  EXPECT_EQ(fence->status(), -ECANCELED);
  EXPECT_EQ(fence->timestamp(), TimePoint{7});
  EXPECT_DEATH(fence->signal(TimePoint{8}, 0), "kPending");
}

TEST(Fence, CallbacksRunInTheOrderOfRegistration) {
  const auto fence = make_ref<TestFence>();
  std::vector<int> called;
  TestCallback a([&](Fence& f) {
    EXPECT_EQ(f.status(), 1);
    called.push_back(1);
  });
  TestCallback b([&](Fence&) { called.push_back(2); });
  TestCallback c([&](Fence&) { called.push_back(3); });
  EXPECT_TRUE(fence->add_callback(b));
  EXPECT_TRUE(fence->add_callback(c));
  EXPECT_TRUE(fence->add_callback(a));
  EXPECT_TRUE(fence->remove_callback(c));
  EXPECT_FALSE(fence->remove_callback(c));
  fence->signal(TimePoint{}, 0);
  EXPECT_EQ(called, (std::vector<int>{2, 1}));
  EXPECT_FALSE(fence->remove_callback(a));
  EXPECT_FALSE(fence->add_callback(a));
  EXPECT_EQ(called.size(), 2u);
}

TEST(Fence, CallbackMayGoOnToAnotherFence) {
  const auto first = make_ref<TestFence>();
  const auto second = make_ref<TestFence>();
  int calls = 0;
  struct Relay final : FenceCallback {
    void on_signalled(Fence&) noexcept override {
      ++*calls;
      if (next) next->add_callback(*this);
      next = nullptr;
    }
    Fence* next = nullptr;
    int* calls = nullptr;
  } relay;
  relay.next = second.get();
  relay.calls = &calls;
  first->add_callback(relay);
  first->signal(TimePoint{}, 0);
  EXPECT_EQ(calls, 1);
  second->signal(TimePoint{}, 0);
  EXPECT_EQ(calls, 2);
}

TEST(Fence, RemovingACallbackFromItselfReturns) {
  const auto fence = make_ref<TestFence>();
  struct Self final : FenceCallback {
    void on_signalled(Fence& fence) noexcept override { removed = fence.remove_callback(*this); }
    bool removed = true;
  } self;
  fence->add_callback(self);
  fence->signal(TimePoint{}, 0);
  EXPECT_FALSE(self.removed);
}

TEST(Fence, DyingWithACallbackIsABug) {
  EXPECT_DEATH(
      {
        TestCallback callback([](Fence&) {});
        make_ref<TestFence>()->add_callback(callback);
      },
      "first_");
}

TEST(Fence, ContextsDiffer) { EXPECT_NE(Fence::next_context(), Fence::next_context()); }

TEST(StubFence, HasSignalledWithoutError) {
  EXPECT_EQ(stub_fence()->status(), 1);
  EXPECT_EQ(stub_fence(), stub_fence());
  EXPECT_STREQ(stub_fence()->driver_name(), "stub");
  EXPECT_STREQ(stub_fence()->timeline_name(), "stub");
  const Ref<Fence> later = stub_fence_at(TimePoint{5});
  EXPECT_EQ(later->status(), 1);
  EXPECT_EQ(later->timestamp(), TimePoint{5});
}

// What the signaller wrote before signal() is seen by whoever finds the fence signalled, or is
// called back.
TEST(Fence, WaitSeesWhatTheSignallerDid) {
  for_each_executor(1, [](Executor& executor) {
    const auto fence = make_ref<TestFence>();
    int payload = 0;
    auto signaller = test_thread([&] {
      executor.clock().sleep(milliseconds(1));
      payload = 42;
      fence->signal(executor.clock().now(), 0);
    });
    executor.spawn("signaller", signaller);
    EXPECT_TRUE(wait_for(*fence, TimePoint::never()));
    EXPECT_EQ(payload, 42);
    executor.join_spawned();
  });
}

TEST(Fence, WaitEndsAtItsDeadline) {
  for_each_executor(1, [](Executor& executor) {
    const auto fence = make_ref<TestFence>();
    const TimePoint deadline = executor.clock().now() + milliseconds(2);
    EXPECT_FALSE(wait_for(*fence, deadline));
    EXPECT_GE(executor.clock().now(), deadline);
    EXPECT_FALSE(wait_for(*fence, TimePoint{}));
    fence->signal(executor.clock().now(), EIO);
    EXPECT_TRUE(wait_for(*fence, TimePoint{}));
  });
}

// After remove_callback the callback's memory may go. Each round races a removal against the
// signal.
TEST(Fence, RemovalWaitsForTheCallInProgress) {
  for_each_executor(1, [](Executor& executor) {
    for (int round = 0; round < 20; ++round) {
      const auto fence = make_ref<TestFence>();
      bool alive = true;
      int calls = 0;
      auto signaller = test_thread([&] { fence->signal(executor.clock().now(), 0); });
      TestCallback callback([&](Fence&) {
        EXPECT_TRUE(alive);
        executor.clock().sleep(microseconds(1));
        EXPECT_TRUE(alive);
        ++calls;
      });
      ASSERT_TRUE(fence->add_callback(callback));
      executor.spawn("signaller", signaller);
      if (round % 2 != 0) executor.clock().sleep(microseconds(1));
      const bool removed = fence->remove_callback(callback);
      EXPECT_EQ(calls, removed ? 0 : 1);
      alive = false;
      executor.join_spawned();
      EXPECT_EQ(calls, removed ? 0 : 1);
    }
  });
}

// Signals as soon as the fence before it does.
class Follower final : public DerivedFence, private FenceCallback {
 public:
  explicit Follower(Fence& leader) : DerivedFence(next_context(), 1) {
    EXPECT_TRUE(leader.add_callback(*this));
  }
  const char* driver_name() const noexcept override { return "test"; }
  const char* timeline_name() const noexcept override { return "follower"; }

 private:
  void on_signalled(Fence& fence) noexcept override {
    signal_in_turn(fence.timestamp(), fence.status() < 0 ? -fence.status() : 0);
  }
};

TEST(DerivedFence, ARowOfAnyLengthSignalsWithoutRecursion) {
  const auto first = make_ref<TestFence>();
  std::vector<Ref<Fence>> row{first};
  for (int i = 0; i < 200'000; ++i) row.push_back(make_ref<Follower>(*row.back()));
  first->signal(TimePoint{3}, EIO);
  for (const Ref<Fence>& fence : row) {
    ASSERT_EQ(fence->status(), -EIO);
    ASSERT_EQ(fence->timestamp(), TimePoint{3});
  }
}

TEST(DerivedFence, SignalsAfterTheCallbacksOfTheFenceThatToldIt) {
  const auto first = make_ref<TestFence>();
  const auto follower = make_ref<Follower>(*first);
  std::vector<int> called;
  TestCallback late([&](Fence&) { called.push_back(1); });
  TestCallback derived([&](Fence&) { called.push_back(2); });
  first->add_callback(late);
  follower->add_callback(derived);
  first->signal(TimePoint{}, 0);
  EXPECT_EQ(called, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace pantry::driver
