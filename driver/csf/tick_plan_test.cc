// SPDX-License-Identifier: MIT
#include "driver/csf/tick_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

namespace pantry::driver {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using Activity = Schedulable::Activity;
using Tick = TickPlan::Tick;

// Groups on an imaginary device: what the scheduler does with a plan, without the device.
class World {
 public:
  World(std::uint32_t slots, std::uint32_t spaces) : limits_{slots, spaces} {}
  ~World() {
    for (const auto& group : groups_) waiting_.remove(*group);
  }

  Schedulable& add(GroupPriority priority, int space, Activity activity) {
    auto group = std::make_unique<Schedulable>();
    group->priority = priority;
    group->space = &spaces_[static_cast<std::size_t>(space)];
    group->activity = activity;
    waiting_.put(*group);
    groups_.push_back(std::move(group));
    return *groups_.back();
  }
  void set_activity(Schedulable& group, Activity activity) {
    group.activity = activity;
    if (!is_resident(group)) waiting_.put(group);
  }
  bool is_resident(const Schedulable& group) const {
    return std::find(residents_.begin(), residents_.end(), &group) != residents_.end();
  }
  // Who sits on the slots afterwards, from the highest firmware priority down.
  std::vector<Schedulable*> tick(Tick kind) {
    const TickPlan plan(limits_, kind, residents_, waiting_);
    must_tick_again_ = plan.must_tick_again();
    const std::vector<Schedulable*> chosen(plan.chosen().begin(), plan.chosen().end());
    for (Schedulable* group : residents_)
      if (std::find(chosen.begin(), chosen.end(), group) == chosen.end()) waiting_.put(*group);
    for (Schedulable* group : chosen)
      if (!is_resident(*group)) waiting_.remove(*group);
    residents_ = chosen;
    return chosen;
  }
  bool must_tick_again() const { return must_tick_again_; }
  const std::vector<std::unique_ptr<Schedulable>>& groups() const { return groups_; }
  const TickPlan::Limits& limits() const { return limits_; }

 private:
  const TickPlan::Limits limits_;
  std::array<int, 64> spaces_{};
  WaitingGroups waiting_;
  std::vector<Schedulable*> residents_;
  std::vector<std::unique_ptr<Schedulable>> groups_;
  bool must_tick_again_ = false;
};

TEST(TickPlan, ALoneGroupGetsASlotAndNeedsNoTick) {
  World world(4, 4);
  Schedulable& group = world.add(GroupPriority::kMedium, 0, Activity::kBusy);
  EXPECT_THAT(world.tick(Tick::kFull), ElementsAre(&group));
  EXPECT_FALSE(world.must_tick_again());
}

TEST(TickPlan, PrioritiesAreStrictAndOrderTheSlots) {
  World world(2, 8);
  Schedulable& low = world.add(GroupPriority::kLow, 0, Activity::kBusy);
  Schedulable& medium = world.add(GroupPriority::kMedium, 1, Activity::kBusy);
  EXPECT_THAT(world.tick(Tick::kFull), ElementsAre(&medium, &low));
  Schedulable& high = world.add(GroupPriority::kHigh, 2, Activity::kBusy);
  EXPECT_THAT(world.tick(Tick::kFull), ElementsAre(&high, &medium));
  EXPECT_TRUE(world.must_tick_again()) << "the low one waits";
}

TEST(TickPlan, BetweenFullTicksOnlyRealtimeTakesASlot) {
  World world(1, 8);
  Schedulable& low = world.add(GroupPriority::kLow, 0, Activity::kBusy);
  world.tick(Tick::kFull);
  world.add(GroupPriority::kHigh, 1, Activity::kBusy);
  EXPECT_THAT(world.tick(Tick::kBetween), ElementsAre(&low));
  EXPECT_TRUE(world.must_tick_again());
  Schedulable& realtime = world.add(GroupPriority::kRealtime, 2, Activity::kBusy);
  EXPECT_THAT(world.tick(Tick::kBetween), ElementsAre(&realtime));
}

TEST(TickPlan, OneOfNineGivesWayPerTick) {
  World world(8, 16);
  std::vector<Schedulable*> groups;
  for (int i = 0; i < 9; ++i)
    groups.push_back(&world.add(GroupPriority::kMedium, i, Activity::kBusy));
  std::vector<Schedulable*> before = world.tick(Tick::kFull);
  ASSERT_EQ(before.size(), 8u);
  for (int round = 0; round < 20; ++round) {
    const std::vector<Schedulable*> after = world.tick(Tick::kFull);
    ASSERT_EQ(after.size(), 8u);
    // The one at the top has gone, the rest has moved up, the one that waited is last.
    EXPECT_TRUE(std::equal(before.begin() + 1, before.end(), after.begin()));
    EXPECT_EQ(std::count(before.begin(), before.end(), after.back()), 0);
    before = after;
  }
}

TEST(TickPlan, IdleGroupsKeepSparesAndBlockedOnesGetThem) {
  World world(2, 8);
  Schedulable& idle = world.add(GroupPriority::kMedium, 0, Activity::kBusy);
  Schedulable& busy = world.add(GroupPriority::kMedium, 1, Activity::kBusy);
  world.tick(Tick::kFull);
  world.set_activity(idle, Activity::kIdle);
  EXPECT_THAT(world.tick(Tick::kFull), UnorderedElementsAre(&busy, &idle));
  EXPECT_FALSE(world.must_tick_again());
  Schedulable& blocked = world.add(GroupPriority::kHigh, 2, Activity::kBlocked);
  EXPECT_THAT(world.tick(Tick::kFull), UnorderedElementsAre(&busy, &idle));
  EXPECT_TRUE(world.must_tick_again()) << "nobody watches the sync object";
  Schedulable& other = world.add(GroupPriority::kLow, 3, Activity::kBusy);
  EXPECT_THAT(world.tick(Tick::kFull), UnorderedElementsAre(&busy, &other));
  world.set_activity(other, Activity::kIdle);
  world.set_activity(busy, Activity::kIdle);
  world.tick(Tick::kFull);
  EXPECT_FALSE(world.is_resident(blocked)) << "residents need no new programming";
}

// A group that never ran among them: where there is room, it sits beside the others of its VM.
TEST(TickPlan, IdleGroupsGetTheSparesThatNobodyWants) {
  World world(3, 2);
  Schedulable& low = world.add(GroupPriority::kLow, 1, Activity::kIdle);
  Schedulable& stranger = world.add(GroupPriority::kHigh, 2, Activity::kIdle);
  Schedulable& busy = world.add(GroupPriority::kMedium, 0, Activity::kBusy);
  EXPECT_THAT(world.tick(Tick::kFull), ElementsAre(&stranger, &busy)) << "two spaces, the higher";
  EXPECT_FALSE(world.must_tick_again());
  Schedulable& blocked = world.add(GroupPriority::kLow, 0, Activity::kBlocked);
  EXPECT_THAT(world.tick(Tick::kFull), ElementsAre(&stranger, &busy, &blocked));
  world.set_activity(low, Activity::kBusy);
  EXPECT_THAT(world.tick(Tick::kFull), UnorderedElementsAre(&busy, &low, &blocked));
  EXPECT_FALSE(world.must_tick_again());
}

TEST(TickPlan, ANewlyIdleGroupGivesWay) {
  World world(1, 1);
  Schedulable& first = world.add(GroupPriority::kMedium, 0, Activity::kBusy);
  world.tick(Tick::kFull);
  Schedulable& second = world.add(GroupPriority::kMedium, 1, Activity::kBusy);
  world.set_activity(first, Activity::kIdle);
  EXPECT_THAT(world.tick(Tick::kFull), ElementsAre(&second));
  EXPECT_FALSE(world.must_tick_again());
}

// Two VMs that fill both address spaces with two groups each must let a third one in.
TEST(TickPlan, ResidentsDoNotKeepTheSpacesForThemselves) {
  World world(8, 2);
  for (const int space : {0, 0, 1, 1}) world.add(GroupPriority::kMedium, space, Activity::kBusy);
  world.tick(Tick::kFull);
  Schedulable& third = world.add(GroupPriority::kMedium, 2, Activity::kBusy);
  world.tick(Tick::kFull);
  EXPECT_TRUE(world.is_resident(third));
}

// Random groups over many ticks, against what must hold whatever the policy is.
RC_GTEST_PROP(TickPlan, LimitsHoldAndNobodyStarves, ()) {
  const auto slots = *rc::gen::inRange<std::uint32_t>(1, 9);
  const auto spaces = *rc::gen::inRange<std::uint32_t>(1, 8);
  const int group_count = *rc::gen::inRange(1, 25);
  const int space_count = *rc::gen::inRange(1, 12);
  World world(slots, spaces);
  for (int i = 0; i < group_count; ++i)
    world.add(static_cast<GroupPriority>(*rc::gen::inRange(0, 2)),
              *rc::gen::inRange(0, space_count),
              static_cast<Activity>(*rc::gen::weightedElement<int>({{1, 0}, {1, 1}, {4, 2}})));
  const auto busy_of = [&](GroupPriority priority) {
    return std::count_if(world.groups().begin(), world.groups().end(), [&](const auto& group) {
      return group->priority == priority && group->activity == Activity::kBusy;
    });
  };

  std::vector<int> waited(world.groups().size(), 0);
  for (int round = 0; round < 80; ++round) {
    const bool full = *rc::gen::weightedElement<bool>({{3, true}, {1, false}});
    std::vector<bool> was_resident;
    for (const auto& group : world.groups()) was_resident.push_back(world.is_resident(*group));
    const std::vector<Schedulable*> chosen = world.tick(full ? Tick::kFull : Tick::kBetween);

    RC_ASSERT(chosen.size() <= slots);
    RC_ASSERT(std::set<Schedulable*>(chosen.begin(), chosen.end()).size() == chosen.size());
    std::set<const void*> used;
    for (const Schedulable* group : chosen) used.insert(group->space);
    RC_ASSERT(used.size() <= spaces);
    RC_ASSERT(std::is_sorted(chosen.begin(), chosen.end(), [](const auto* a, const auto* b) {
      return a->priority > b->priority;
    }));

    bool someone_waits = false;
    for (std::size_t i = 0; i < waited.size(); ++i) {
      const Schedulable& group = *world.groups()[i];
      if (group.activity != Activity::kBusy) continue;
      if (world.is_resident(group)) {
        waited[i] = 0;
        continue;
      }
      someone_waits = true;
      if (full) ++waited[i];
      // Only a full tick takes a slot away (nobody is realtime here).
      if (!full) RC_ASSERT(!was_resident[i]);
      // With room and an address space for it, a group is not left out.
      RC_ASSERT(chosen.size() == slots || (used.size() == spaces && !used.contains(group.space)));
      // It is not left out in favour of an idle one, or one of lower priority, that shares its VM.
      for (const Schedulable* other : chosen)
        if (full && other->space == group.space)
          RC_ASSERT(other->activity == Activity::kBusy && other->priority >= group.priority);
      // The highest priority is let in one group per tick.
      if (group.priority == GroupPriority::kMedium)
        RC_ASSERT(waited[i] <= busy_of(GroupPriority::kMedium));
    }
    if (someone_waits) RC_ASSERT(world.must_tick_again());
  }
}

}  // namespace
}  // namespace pantry::driver
