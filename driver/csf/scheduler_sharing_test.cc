// SPDX-License-Identifier: MIT
//
// Groups that share slots, address spaces and time.
#include "driver/csf/scheduler.h"

#include <gtest/gtest.h>

#include <vector>

#include "driver/csf/csf_rig.h"
#include "driver/csf/job_timer.h"

namespace pantry::driver {
namespace {

using Kind = FakeFirmware::Script::Kind;

// The time that a group spends without a slot is not counted against its jobs.
TEST(Scheduler, FourHangingGroupsOnThreeSlotsEachGetTheirTime) {
  for_each_simulated_rig(Seeds::kFew, [](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Vm> vm = rig.new_vm();
    std::vector<Ref<Group>> groups;
    std::vector<Ref<Fence>> fences;
    const TimePoint start = rig.executor.clock().now();
    for (int i = 0; i < 4; ++i) {
      groups.push_back(rig.new_group(vm, kMedium, 1));
      fences.push_back(CsfRig::submit(*groups.back(), 0, kHang));
    }
    for (const Ref<Fence>& fence : fences) {
      EXPECT_EQ(rig.result(*fence), negative(Errno::kTimedOut));
      // 20 s of slot time in all, on three slots, until the first one ends.
      EXPECT_GE(fence->timestamp() - start, milliseconds(6000));
      EXPECT_LT(fence->timestamp() - start, milliseconds(7500));
    }
  });
}

TEST(Scheduler, FaultOfAVmEndsTheGroupsThatRunInIt) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Vm> other_vm = rig.new_vm();
    const Ref<Group> group = rig.new_group(vm, kMedium, 2);
    const Ref<Fence> fence = CsfRig::submit(*group, 1, kHang);
    rig.settle();
    const Ref<Group> other = rig.new_group(other_vm, kMedium, 1);
    const Ref<Fence> unaffected = CsfRig::submit(*other, 0, kHang);
    rig.settle();
    rig.gpu.raise_mmu_fault(1, 0xdead'0000);
    EXPECT_EQ(rig.result(*fence), negative(Errno::kInval));
    EXPECT_EQ(group->state().fatal_queues, 3u) << "the firmware named no queue";
    EXPECT_FALSE(unaffected->signalled());
    EXPECT_TRUE(other->can_run());
    // The VM can be used again.
    const Ref<Group> next = rig.new_group(vm, kMedium, 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*next, 0, kDone)), 1);
    EXPECT_FALSE(vm->faulted());
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*unaffected), 1);
  });
}

// Nine groups in six VMs share three slots and three address spaces; none of their jobs ends before
// its word is written, so every group has to be on a slot again and again.
TEST(Scheduler, ManyGroupsAndVmsAllMakeProgress) {
  for_each_rig([](CsfRig& rig) {
    constexpr int kGroups = 9;
    constexpr int kRounds = 3;
    std::vector<Ref<Vm>> vms;
    for (int i = 0; i < 6; ++i) vms.push_back(rig.new_vm());
    std::vector<Ref<Group>> groups;
    for (int i = 0; i < kGroups; ++i)
      groups.push_back(rig.new_group(vms[static_cast<std::size_t>(i * 2 % 6)], kMedium, 2));
    for (int round = 0; round < kRounds; ++round) {
      std::vector<Ref<Fence>> fences;
      for (const Ref<Group>& group : groups) {
        fences.push_back(CsfRig::submit(*group, 0, kDone));
        fences.push_back(CsfRig::submit(*group, 1, kDone));
      }
      for (const Ref<Fence>& fence : fences) EXPECT_EQ(rig.result(*fence), 1);
    }
    EXPECT_EQ(rig.resets_wanted(), 0u);
  });
}

// Where the firmware takes longer to answer than a period, others still find the lock free between
// two ticks: as long as one period, for two busy groups that take turns.
TEST(Scheduler, TicksThatTakeLongLeaveAPeriodBetweenThem) {
  for_each_simulated_rig(Seeds::kFew, [](CsfRig& rig) {
    const Ref<Vm> vm = rig.new_vm();
    rig.script(kHang, {.kind = Kind::kHang});
    std::vector<Ref<Fence>> hung;
    for (int i = 0; i < 2; ++i)
      hung.push_back(CsfRig::submit(*rig.new_group(vm, kMedium, 1), 0, kHang));
    rig.sleep(milliseconds(30));
    const auto answer = [&](std::uint32_t ignored) {
      rig.gpu.with_firmware([=](FakeFirmware& fake) { fake.ignored_slots = ignored; });
      rig.firmware->ring_groups((1u << FakeFirmware::kGroups) - 1);
    };
    for (int round = 0; round < 2; ++round) {
      answer(~0U);
      rig.sleep(milliseconds(40));  // a tick has begun and waits
      answer(0);
      const std::uint64_t ticks = rig.scheduler->totals().ticks;
      answer(~0U);
      rig.sleep(milliseconds(6));
      // Would wait for the next tick, if that had begun.
      const TimePoint asked = rig.executor.clock().now();
      EXPECT_EQ(rig.scheduler->totals().ticks, ticks);
      EXPECT_LT(rig.executor.clock().now() - asked, milliseconds(1));
      answer(0);
      rig.sleep(milliseconds(20));
    }
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    for (const Ref<Fence>& fence : hung) EXPECT_EQ(rig.result(*fence), 1);
    EXPECT_EQ(rig.resets_wanted(), 0u);
  });
}

// A word of a buffer that is mapped in a VM.
struct SyncWord {
  SyncWord(CsfRig& rig, Vm& vm) : mapping(vm.map_kernel(kPageSize, Prot::kNoExec).value()) {
    static_cast<void>(rig);
  }
  void set(std::uint64_t value) { InterfaceBlock(mapping.cpu()).store64(0, value); }
  FakeFirmware::Script wait() const {
    return {.kind = Kind::kWait, .object = mapping.va(), .reference = 0};
  }
  KernelMapping mapping;
};

// A queue that waits is taken off its slot when others want it, and put back once the word is
// written by somebody whom the firmware tells us of.
TEST(Scheduler, ABlockedGroupComesBackWhenItsWordIsWritten) {
  for_each_rig([](CsfRig& rig) {
    const Ref<Vm> vm = rig.new_vm();
    SyncWord word(rig, *vm);
    rig.script(kOther, word.wait());
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Group> blocked = rig.new_group(vm, kMedium, 1);
    const Ref<Fence> waits = CsfRig::submit(*blocked, 0, kOther);
    rig.settle();
    std::vector<Ref<Group>> busy;
    std::vector<Ref<Fence>> hung;
    for (int i = 0; i < 3; ++i) {
      busy.push_back(rig.new_group(vm, kMedium, 1));
      hung.push_back(CsfRig::submit(*busy.back(), 0, kHang));
    }
    // Three busy groups take the three slots.
    rig.sleep(milliseconds(30));
    rig.settle();
    EXPECT_FALSE(waits->signalled());
    word.set(1);
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    for (const Ref<Fence>& fence : hung) EXPECT_EQ(rig.result(*fence), 1);
    EXPECT_EQ(rig.result(*waits), 1);
  });
}

TEST(Scheduler, AnEndlessWaitEndsAfterFiveSecondsWhereverTheGroupIs) {
  for_each_simulated_rig(Seeds::kFew, [](CsfRig& rig) {
    const Ref<Vm> vm = rig.new_vm();
    SyncWord word(rig, *vm);
    rig.script(kOther, word.wait());
    const Ref<Group> blocked = rig.new_group(vm, kMedium, 1);
    const Ref<Fence> waits = CsfRig::submit(*blocked, 0, kOther);
    rig.settle();
    std::vector<Ref<Group>> busy;
    rig.script(kHang, {.kind = Kind::kHang});
    std::vector<Ref<Fence>> hung;
    for (int i = 0; i < 3; ++i) {
      busy.push_back(rig.new_group(vm, kMedium, 1));
      hung.push_back(CsfRig::submit(*busy.back(), 0, kHang));
    }
    const TimePoint start = rig.executor.clock().now();
    EXPECT_EQ(rig.result(*waits), negative(Errno::kTimedOut));
    EXPECT_LT(waits->timestamp() - start, JobTimer::kLimit + milliseconds(100));
    for (const Ref<Fence>& fence : hung) EXPECT_EQ(rig.result(*fence), negative(Errno::kTimedOut));
  });
}

TEST(Scheduler, RealtimeDoesNotWaitForTheTick) {
  for_each_simulated_rig(Seeds::kAll, [](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Vm> vm = rig.new_vm();
    std::vector<Ref<Group>> low;
    std::vector<Ref<Fence>> hung;
    for (int i = 0; i < 3; ++i) {
      low.push_back(rig.new_group(vm, GroupPriority::kLow, 1));
      hung.push_back(CsfRig::submit(*low.back(), 0, kHang));
    }
    rig.settle();
    const Ref<Group> realtime = rig.new_group(vm, GroupPriority::kRealtime, 1);
    const TimePoint start = rig.executor.clock().now();
    const Ref<Fence> done = CsfRig::submit(*realtime, 0, kDone);
    EXPECT_EQ(rig.result(*done), 1);
    EXPECT_LT(done->timestamp() - start, milliseconds(5));
    for (const Ref<Group>& group : low) group->destroy();
    for (const Ref<Fence>& fence : hung) EXPECT_EQ(rig.result(*fence), negative(Errno::kCanceled));
  });
}

TEST(Scheduler, SettleWaitsForTheTickThatEvicts) {
  for_each_rig([](CsfRig& rig) {
    rig.script(kHang, {.kind = Kind::kHang});
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Group> group = rig.new_group(vm, kMedium, 1);
    const Ref<Fence> fence = CsfRig::submit(*group, 0, kHang);
    rig.settle();
    EXPECT_EQ(rig.scheduler->totals().resident, 1u);
    group->destroy();
    rig.scheduler->settle(*vm);
    EXPECT_EQ(rig.scheduler->totals().resident, 0u);
    EXPECT_EQ(rig.result(*fence), negative(Errno::kCanceled));
  });
}

}  // namespace
}  // namespace pantry::driver
