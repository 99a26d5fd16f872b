// SPDX-License-Identifier: MIT
#include "driver/sync/sw_timeline.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "driver/kernel/thread_executor.h"

namespace pantry::driver {
namespace {

struct TimelineRig {
  ThreadExecutor executor{1};
  Cleanup cleanup{executor.lane(Lane::kCleanup)};
  Ref<SwTimeline> timeline = SwTimeline::create("a program").value();

  Ref<Fence> fence(std::uint32_t value) {
    return timeline->fence(value, cleanup, TimePoint{5}).value();
  }
  void advance(std::uint32_t by) { timeline->advance(by, cleanup, TimePoint{7}); }
};

TEST(SwTimeline, AFenceSignalsWhenTheCounterComesToIt) {
  TimelineRig rig;
  const Ref<Fence> one = rig.fence(1);
  const Ref<Fence> three = rig.fence(3);
  EXPECT_FALSE(one->signalled());
  rig.advance(1);
  EXPECT_EQ(one->status(), 1);
  EXPECT_EQ(one->timestamp(), TimePoint{7});
  EXPECT_FALSE(three->signalled());
  rig.advance(5);
  EXPECT_EQ(three->status(), 1);
  EXPECT_EQ(rig.fence(2)->status(), 1) << "the counter has been there";
  EXPECT_EQ(rig.fence(6)->status(), 1);
  EXPECT_EQ(rig.fence(7)->status(), 0);
}

TEST(SwTimeline, NamesItsFences) {
  TimelineRig rig;
  const Ref<Fence> fence = rig.fence(1);
  rig.timeline = SwTimeline::create(std::string(40, 'x')).value();
  EXPECT_STREQ(fence->driver_name(), "sw_sync");
  EXPECT_STREQ(fence->timeline_name(), "a program") << "its timeline lives with it";
  EXPECT_EQ(std::string(rig.timeline->name()).size(), 31u);
}

TEST(SwTimeline, OneFenceForOneValue) {
  TimelineRig rig;
  const Ref<Fence> fence = rig.fence(9);
  EXPECT_EQ(rig.fence(9).get(), fence.get());
  EXPECT_NE(rig.fence(8).get(), fence.get());
}

TEST(SwTimeline, AtItsEndTheRestFails) {
  TimelineRig rig;
  const Ref<Fence> done = rig.fence(1);
  const Ref<Fence> pending = rig.fence(2);
  rig.advance(1);
  rig.timeline->end(rig.cleanup, TimePoint{8});
  EXPECT_EQ(done->status(), 1);
  EXPECT_EQ(pending->status(), negated(Errno::kNoEnt));
}

TEST(SwTimeline, WrapsAround) {
  TimelineRig rig;
  rig.advance(UINT32_MAX);
  const Ref<Fence> next = rig.fence(0);
  const Ref<Fence> before = rig.fence(UINT32_MAX);
  EXPECT_FALSE(next->signalled());
  EXPECT_TRUE(before->signalled());
  rig.advance(1);
  EXPECT_TRUE(next->signalled());
}

TEST(SwTimeline, ALargeStepPassesEverything) {
  TimelineRig rig;
  const Ref<Fence> near = rig.fence(1);
  const Ref<Fence> far = rig.fence(INT32_MAX);
  rig.advance(0xf000'0000);
  EXPECT_TRUE(near->signalled());
  EXPECT_TRUE(far->signalled());
}

// Fences come and go; who is pending and who is done follows from the counter alone.
RC_GTEST_PROP(SwTimelineModel, FollowsTheCounter, (const std::vector<std::uint8_t>& steps)) {
  TimelineRig rig;
  std::uint64_t counter = 0;
  std::vector<std::pair<std::uint64_t, Ref<Fence>>> held;
  for (const std::uint8_t step : steps) {
    const std::uint64_t amount = step / 4 % 8;
    switch (step % 4) {
      case 0:
      case 1:
        held.emplace_back(counter + amount,
                          rig.fence(static_cast<std::uint32_t>(counter + amount)));
        break;
      case 2:
        rig.advance(static_cast<std::uint32_t>(amount));
        counter += amount;
        break;
      case 3:
        if (!held.empty())
          held.erase(held.begin() + static_cast<std::ptrdiff_t>(amount % held.size()));
        break;
    }
    for (const auto& [value, fence] : held) RC_ASSERT(fence->signalled() == (value <= counter));
  }
}

}  // namespace
}  // namespace pantry::driver
