// SPDX-License-Identifier: MIT
//
// What a reset does to groups, and when there is one.
#include "driver/csf/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "driver/csf/csf_rig.h"

namespace pantry::driver {
namespace {

using ::testing::ElementsAre;
using Kind = FakeFirmware::Script::Kind;

TEST(Scheduler, UnrecoverableStreamAsksForAReset) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kOther, {.kind = Kind::kFatal, .exception = 0x41});
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    const Ref<Fence> fence = CsfRig::submit(*group, 0, kOther);
    while (rig.resets_wanted() == 0) rig.sleep(milliseconds(1));
    EXPECT_FALSE(fence->signalled());
    rig.reset(Scheduler::After::kReset);
    EXPECT_EQ(rig.result(*fence), negative(Errno::kInval));
  });
}

// [E5.4]
TEST(Scheduler, AResetIsInvisibleToGroupsThatSuspend) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Group> group = rig.new_group(vm, kMedium, 2);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kDone)), 1);
    const Ref<Fence> running = CsfRig::submit(*group, 0, kHang);
    rig.settle();
    rig.reset(Scheduler::After::kReset);
    rig.settle();
    EXPECT_FALSE(running->signalled());
    EXPECT_TRUE(group->can_run());
    rig.gpu.with_firmware([](FakeFirmware& fake) {
      EXPECT_THAT(fake.transitions, ElementsAre(0x01, 0x02, 0x03));
      EXPECT_EQ(fake.requests.back(), 0x13u) << "RESUME against an acknowledge of 0";
      EXPECT_EQ(fake.resumes[0], 1u);
    });
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*running), 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 1, kDone)), 1);
    EXPECT_FALSE(group->state().innocent);
  });
}

TEST(Scheduler, JobsMayBePushedDuringAReset) {
  for_each_rig([](CsfRig& rig) {
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    std::vector<Ref<Fence>> fences;
    auto client = test_thread([&] {
      for (int i = 0; i < 60; ++i) fences.push_back(CsfRig::submit(*group, 0, kDone));
    });
    rig.executor.spawn("client", client);
    for (int i = 0; i < 3; ++i) rig.reset(Scheduler::After::kReset);
    rig.executor.join_spawned();
    for (const Ref<Fence>& fence : fences) EXPECT_EQ(rig.result(*fence), 1);
  });
}

// [A7.5 E5.4]
TEST(Scheduler, GroupsThatDoNotSuspendAreLostInTheReset) {
  for_each_simulated_rig(Seeds::kAll, [](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Group> stuck = rig.new_group(vm, kMedium, 1);
    const Ref<Fence> lost = CsfRig::submit(*stuck, 0, kHang);
    rig.settle();
    const Ref<Group> healthy = rig.new_group(vm, kMedium, 1);
    const Ref<Fence> kept = CsfRig::submit(*healthy, 0, kHang);
    rig.settle();
    rig.gpu.with_firmware([](FakeFirmware& fake) { fake.ignored_slots = 1; });
    rig.reset(Scheduler::After::kReset);
    EXPECT_EQ(rig.result(*lost), negative(Errno::kTimedOut));
    EXPECT_TRUE(stuck->state().timed_out);
    EXPECT_TRUE(stuck->state().innocent);
    EXPECT_FALSE(kept->signalled());
    EXPECT_TRUE(healthy->can_run());
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*kept), 1);
  });
}

TEST(Scheduler, ContextsThatDidNotReachMemoryAreLost) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    const Ref<Fence> fence = CsfRig::submit(*group, 0, kHang);
    rig.settle();
    rig.flush_outcome = CacheFlusher::Outcome::kTimedOut;
    rig.reset(Scheduler::After::kReset);
    rig.flush_outcome = CacheFlusher::Outcome::kDone;
    EXPECT_EQ(rig.result(*fence), negative(Errno::kCanceled));
    EXPECT_FALSE(group->can_run());
  });
}

TEST(Scheduler, AFailedResetEndsEverything) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Group> group = rig.new_group(vm, kMedium, 1);
    std::vector<Ref<Fence>> fences;
    for (int i = 0; i < 40; ++i) fences.push_back(CsfRig::submit(*group, 0, kHang));
    rig.settle();
    rig.reset(Scheduler::After::kResetFailed);
    for (const Ref<Fence>& fence : fences)
      EXPECT_EQ(rig.result(*fence), negative(Errno::kCanceled));
    EXPECT_FALSE(group->can_run());
    EXPECT_FALSE(rig.new_group(vm, kMedium, 1)->can_run());
  });
}

TEST(Scheduler, AFirmwareThatDoesNotAnswerIsResetAndNobodyElseSuffers) {
  for_each_simulated_rig(Seeds::kAll, [](CsfRig& rig) {
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    rig.gpu.with_firmware([](FakeFirmware& fake) { fake.is_deaf = true; });
    const Ref<Fence> fence = CsfRig::submit(*group, 0, kDone);
    while (rig.resets_wanted() == 0) rig.sleep(milliseconds(10));
    rig.reset(Scheduler::After::kReset);
    // The group was never seen to start, so it cannot be trusted to resume.
    EXPECT_EQ(rig.result(*fence), negative(Errno::kTimedOut));
    const Ref<Group> next = rig.new_group(rig.new_vm(), kMedium, 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*next, 0, kDone)), 1);
  });
}

}  // namespace
}  // namespace pantry::driver
