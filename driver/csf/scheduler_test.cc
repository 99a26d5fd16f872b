// SPDX-License-Identifier: MIT
//
// Groups and their jobs, over a scripted firmware of three slots and three address spaces.
#include "driver/csf/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "driver/csf/csf_rig.h"
#include "driver/csf/job_timer.h"

namespace pantry::driver {
namespace {

using ::testing::ElementsAre;
using Kind = FakeFirmware::Script::Kind;

// errata B.1: the words of a first start, two queues, on the lowest slot.
TEST(Scheduler, WordsOfASlotStart) {
  for_each_rig([](CsfRig& rig) {
    const Ref<Vm> vm = rig.new_vm();
    GroupArgs args = CsfRig::group_args(kMedium, 2);
    args.queues[1].priority = 7;
    const Ref<Group> group = rig.scheduler->create_group(vm, args).value();
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kDone)), 1);
    rig.settle();
    rig.gpu.with_firmware([](FakeFirmware& fake) {
      EXPECT_THAT(fake.requests, ElementsAre(0x11));
      EXPECT_EQ(fake.stream(0, 0).request, 0x511u);
      EXPECT_EQ(fake.stream(0, 0).config, 0x100u);
      EXPECT_EQ(fake.stream(0, 1).config, 0x107u);
      EXPECT_EQ(fake.endpoints(0), 0xf001'0404u);
      EXPECT_EQ(fake.address_space(0), 1u);
    });
    group->destroy();
  });
}

TEST(Scheduler, JobsFinishInOrderThroughARingThatWraps) {
  for_each_rig([](CsfRig& rig) {
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    std::vector<Ref<Fence>> fences;
    for (int i = 0; i < 100; ++i) fences.push_back(CsfRig::submit(*group, 0, kDone));
    EXPECT_EQ(rig.result(*fences.back()), 1);
    for (const Ref<Fence>& fence : fences) EXPECT_EQ(fence->status(), 1);
    EXPECT_EQ(rig.scheduler->totals().jobs, 100u);
    EXPECT_EQ(rig.scheduler->totals().in_flight, 0u);
  });
}

TEST(Scheduler, JobsBeyondTheRingWaitForRoom) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    std::vector<Ref<Fence>> fences;
    for (int i = 0; i < 40; ++i) fences.push_back(CsfRig::submit(*group, 0, kHang));
    rig.settle();
    // 4 KiB are 32 jobs; one place stays free (ring.h).
    EXPECT_EQ(rig.scheduler->totals().in_flight, 31u);
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*fences.back()), 1);
  });
}

TEST(Scheduler, DependenciesDelayAJobAndOnlyItsQueue) {
  for_each_rig([](CsfRig& rig) {
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 2);
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Fence> gate = CsfRig::submit(*group, 1, kHang);
    Ref<Job> job = group->prepare_job(0, {kDone}, 64, 0).value();
    ASSERT_TRUE(job->add_dependency(gate).has_value());
    const Ref<Fence> done = job->done();
    group->push(0, std::move(job));
    rig.settle();
    EXPECT_FALSE(done->signalled());
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*done), 1);
  });
}

TEST(Scheduler, ZeroSizeJobsFollowTheLastJobAndNeedNoSlot) {
  for_each_rig([](CsfRig& rig) {
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, 0)), 1) << "nothing ran before";
    rig.settle();
    EXPECT_EQ(rig.scheduler->totals().ticks, 0u);

    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Fence> real = CsfRig::submit(*group, 0, kHang);
    const Ref<Fence> follower = CsfRig::submit(*group, 0, 0);
    rig.settle();
    EXPECT_FALSE(follower->signalled());
    rig.script(kHang, {.kind = Kind::kFault, .exception = 0x4b});
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*real), negative(Errno::kInval));
    EXPECT_EQ(rig.result(*follower), negative(Errno::kInval)) << "it inherits the error";
    EXPECT_TRUE(group->can_run());
  });
}

TEST(Scheduler, OnlyAnInheritedFaultMarksTheJobInLinux612) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kOther, {.kind = Kind::kFault, .exception = 0x58});
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kOther)), 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kDone)), 1) << "the queue goes on";
    EXPECT_TRUE(group->can_run());
  });
}

TEST(Scheduler, EveryFaultMarksItsJobIfSoConfigured) {
  for_each_executor(2, [](Executor& executor) {
    CsfRig rig(executor);
    rig.start(Scheduler::Config::FaultErrors::kEvery);
    rig.script(kOther, {.kind = Kind::kFault, .exception = 0x58});
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    const Ref<Fence> before = CsfRig::submit(*group, 0, kDone);
    const Ref<Fence> faulty = CsfRig::submit(*group, 0, kOther);
    const Ref<Fence> after = CsfRig::submit(*group, 0, kDone);
    EXPECT_EQ(rig.result(*before), 1);
    EXPECT_EQ(rig.result(*faulty), negative(Errno::kInval));
    EXPECT_EQ(rig.result(*after), 1);
  });
}

// errata A.6: the other queues' jobs are cancelled, not invalid.
TEST(Scheduler, FatalQueueEndsItsGroup) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    rig.script(kOther, {.kind = Kind::kHang});
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Group> group = rig.new_group(vm, kMedium, 2);
    const Ref<Group> neighbour = rig.new_group(vm, kMedium, 1);
    const Ref<Fence> fatal = CsfRig::submit(*group, 0, kOther);
    const Ref<Fence> innocent = CsfRig::submit(*group, 1, kHang);
    const Ref<Fence> unaffected = CsfRig::submit(*neighbour, 0, kHang);
    rig.settle();
    rig.script(kOther, {.kind = Kind::kFatal, .exception = 0x49});
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*fatal), negative(Errno::kInval));
    EXPECT_EQ(rig.result(*innocent), negative(Errno::kCanceled));
    EXPECT_FALSE(group->can_run());
    EXPECT_EQ(group->state().fatal_queues, 1u);
    EXPECT_FALSE(group->state().timed_out);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 1, kDone)), negative(Errno::kCanceled));
    EXPECT_FALSE(unaffected->signalled());
    EXPECT_TRUE(neighbour->can_run());
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*unaffected), 1);
    EXPECT_EQ(rig.resets_wanted(), 0u);
  });
}

TEST(Scheduler, TilerOutOfMemoryWithoutAHeapIsFatal) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kOther, {.kind = Kind::kTilerOom});
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kOther)), negative(Errno::kInval));
  });
}

TEST(Scheduler, NoProgressIsATimeout) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kOther, {.kind = Kind::kNoProgress});
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kOther)), negative(Errno::kTimedOut));
    EXPECT_TRUE(group->state().timed_out);
  });
}

TEST(Scheduler, AJobHasFiveSeconds) {
  for_each_simulated_rig(Seeds::kAll, [](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Group> group = rig.new_group(rig.new_vm(), kMedium, 2);
    const TimePoint start = rig.executor.clock().now();
    const Ref<Fence> hung = CsfRig::submit(*group, 0, kHang);
    const Ref<Fence> behind = CsfRig::submit(*group, 0, kDone);
    EXPECT_EQ(rig.result(*hung), negative(Errno::kTimedOut));
    EXPECT_EQ(rig.result(*behind), negative(Errno::kTimedOut)) << "it was in the ring too";
    const Duration taken = hung->timestamp() - start;
    EXPECT_GE(taken, JobTimer::kLimit);
    EXPECT_LT(taken, JobTimer::kLimit + milliseconds(50));
    EXPECT_TRUE(group->state().timed_out);
    EXPECT_EQ(rig.resets_wanted(), 0u) << "the group let itself be terminated";
  });
}

TEST(Scheduler, DestroyCancelsWhatRunsAndWhatWaits) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    Ref<Group> group = rig.new_unowned_group(rig.new_vm(), kMedium, 1);
    std::vector<Ref<Fence>> fences;
    for (int i = 0; i < 40; ++i) fences.push_back(CsfRig::submit(*group, 0, kHang));
    rig.settle();
    group->destroy();
    group = nullptr;
    for (const Ref<Fence>& fence : fences)
      EXPECT_EQ(rig.result(*fence), negative(Errno::kCanceled));
    rig.settle();
    EXPECT_EQ(rig.scheduler->totals().groups, 0u);
    EXPECT_EQ(rig.scheduler->totals().resident, 0u);
    rig.gpu.with_firmware(
        [](FakeFirmware& fake) { EXPECT_THAT(fake.transitions, ElementsAre(0x01, 0x00)); });
  });
}

TEST(Scheduler, AGroupThatNobodyDestroyedGoesWithItsLastReference) {
  for_each_rig([](CsfRig& rig) {
    Ref<Group> group = rig.new_unowned_group(rig.new_vm(), kMedium, 1);
    Ref<Job> never_pushed = group->prepare_job(0, {kDone}, 64, 0).value();
    group = nullptr;
    EXPECT_EQ(rig.scheduler->totals().groups, 1u);
    never_pushed = nullptr;
    EXPECT_EQ(rig.scheduler->totals().groups, 0u);
  });
}

TEST(Scheduler, QueueParametersAreChecked) {
  SimExecutor executor(1, 2);
  CsfRig rig(executor);
  rig.start();
  const Ref<Vm> vm = rig.new_vm();
  for (const std::uint32_t bytes : {0u, 2048u, 4095u, 6144u, 131'072u}) {
    GroupArgs args = CsfRig::group_args(kMedium, 2);
    args.queues[1].ring_size = bytes;
    EXPECT_EQ(rig.scheduler->create_group(vm, args).error(), Errno::kInval);
  }
  GroupArgs args = CsfRig::group_args(kMedium, 1);
  args.queues[0].priority = 16;
  EXPECT_EQ(rig.scheduler->create_group(vm, args).error(), Errno::kInval);
  args.queues[0] = {15, 65'536};
  EXPECT_TRUE(rig.scheduler->create_group(vm, args).has_value());
}

TEST(Scheduler, CreateGroupReportsEveryFailedAllocationAndLeavesNothing) {
  SimExecutor executor(1, 2);
  CsfRig rig(executor);
  rig.start();
  const Ref<Vm> vm = rig.new_vm();
  const GroupArgs args = CsfRig::group_args(kMedium, 3);
  std::uint64_t failures = 0;
  for (std::uint64_t n = 1;; ++n) {
    const BufferStore::Totals before = rig.buffers.totals();
    rig.pages.faults().fail_nth(n);
    const auto group = rig.scheduler->create_group(vm, args);
    const bool fired = rig.pages.faults().fired();
    rig.pages.faults().fail_nth(0);
    if (!fired) {
      EXPECT_TRUE(group.has_value());
      break;
    }
    ++failures;
    EXPECT_EQ(group.error(), Errno::kNoMem);
    EXPECT_EQ(rig.buffers.totals(), before);
  }
  EXPECT_GT(failures, 10u);
  EXPECT_EQ(rig.scheduler->totals().groups, 0u);
}

}  // namespace
}  // namespace pantry::driver
