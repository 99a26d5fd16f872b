// SPDX-License-Identifier: MIT
#include "driver/device/device.h"

#include <gtest/gtest.h>

#include "driver/device/device_rig.h"

namespace pantry::driver {
namespace {

namespace regs = datasheet::gpu_control;

TEST(Probe, BringsTheGpuUpAndTakesItDown) {
  for_each_executor(2, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    EXPECT_TRUE(rig.gpu.is_powered());
    EXPECT_EQ(rig.gpu.mcu_status(), 1u);
    executor.lane(Lane::kIrq).drain();  // a handler that runs masks its line
    EXPECT_EQ(rig.gpu.job_mask(), ~0u);
    EXPECT_EQ(rig.gpu.gpu_mask(), 3u);
    EXPECT_EQ(rig.gpu.soft_resets(), 0u) << "the GPU is taken as it was found";
    EXPECT_EQ(rig.device->gpu_info().gpu_id, 0xa867'0005u);
    EXPECT_EQ(rig.device->gpu_info().shader_present, 0x5'0005u);
    EXPECT_EQ(rig.device->csif_info().csg_slot_count, FakeFirmware::kGroups);
    EXPECT_EQ(rig.device->csif_info().unpreserved_cs_reg_count, 4u);

    rig.take_down();
    EXPECT_EQ(rig.user_page.load(), datasheet::user_page::kSuspendedFlushId);
  });
}

TEST(Probe, RefusesAGpuThatItCannotDrive) {
  struct Case {
    datasheet::Register reg;
    std::uint32_t value;
  };
  for (const Case& bad : {Case{regs::kAsPresent, 0x1}, Case{regs::kAsPresent, 0xe},
                          Case{regs::kMmuFeatures, 0x2820}, Case{regs::kMmuFeatures, 0x3f30}}) {
    for_each_executor(1, [&](Executor& executor) {
      DeviceRig rig(executor);
      rig.gpu.set_word(bad.reg, bad.value);
      EXPECT_EQ(rig.probe(), Errno::kNoDev) << bad.reg.name << " " << bad.value;
    });
  }
}

TEST(Probe, FailsAndSwitchesOffWhenAStepDoes) {
  for_each_seed(1, [](SimExecutor& executor) {
    {
      DeviceRig rig(executor);
      rig.gpu.set_never_powers_up();
      EXPECT_EQ(rig.probe(), Errno::kTimedOut);
    }
    DeviceRig rig(executor);
    rig.gpu.with_firmware([](FakeFirmware& fake) { fake.refuses_to_boot = true; });
    EXPECT_EQ(rig.probe(), Errno::kTimedOut);
  });
}

TEST(Reset, RequestsWhileOneIsPendingAreOneResetAndLoseNoJob) {
  for_each_executor(2, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
    const Ref<Group> group = rig.new_group(vm);
    const Ref<Fence> before = CsfRig::submit(*group, 0, 0x1000);
    rig.device->request_reset("a test wants it");
    const Ref<Fence> after = CsfRig::submit(*group, 0, 0x1000);
    EXPECT_EQ(rig.result(*before), 1);
    EXPECT_EQ(rig.result(*after), 1);
    rig.device->settle();
    EXPECT_EQ(rig.device->resets(), 1u);
    EXPECT_EQ(rig.gpu.soft_resets(), 1u);
    EXPECT_FALSE(rig.device->unplugged());
    EXPECT_EQ(rig.gpu.gpu_mask(), 3u);
    group->destroy();
  });
}

TEST(Reset, OneWhoseBootFailsUnplugsTheDeviceAndEndsEveryJob) {
  for_each_seed(1, [](SimExecutor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
    const Ref<Group> group = rig.new_group(vm);
    rig.gpu.with_firmware([](FakeFirmware& fake) {
      fake.scripts[0x1000] = {.kind = FakeFirmware::Script::Kind::kHang};
      fake.refuses_to_boot = true;
    });
    const Ref<Fence> hangs = CsfRig::submit(*group, 0, 0x1000);
    rig.device->request_reset("a test wants it");
    EXPECT_EQ(rig.result(*hangs), negative(Errno::kCanceled));
    rig.device->settle();
    EXPECT_TRUE(rig.device->unplugged());
    EXPECT_FALSE(rig.gpu.is_powered());
    EXPECT_EQ(rig.user_page.load(), datasheet::user_page::kSuspendedFlushId);

    // What comes too late ends in the same way; nothing asks the dead device for a reset again.
    const Ref<Group> late = rig.new_group(vm);
    EXPECT_EQ(rig.result(*CsfRig::submit(*late, 0, 0x2000)), negative(Errno::kCanceled));
    rig.device->request_reset("too late");
    rig.device->settle();
    EXPECT_EQ(rig.device->resets(), 1u);
    group->destroy();
    late->destroy();
  });
}

constexpr Duration kDelay = milliseconds(50);

void expect_suspended(DeviceRig& rig) {
  EXPECT_TRUE(rig.device->suspended());
  EXPECT_FALSE(rig.gpu.is_powered());
  EXPECT_EQ(rig.gpu.mcu_status(), 0u);
  EXPECT_EQ(rig.gpu.job_mask(), 0u);
  EXPECT_EQ(rig.gpu.gpu_mask(), 0u);
  EXPECT_EQ(rig.user_page.load(), datasheet::user_page::kSuspendedFlushId);
}

TEST(RuntimeSuspend, ComesAfterTheDelayAndEndsWithTheNextJob) {
  for_each_seed(2, [](SimExecutor& executor) {
    DeviceRig rig(executor);
    rig.autosuspend_delay = kDelay;
    ASSERT_EQ(rig.probe(), Errno{});
    executor.clock().sleep(kDelay - milliseconds(1));
    EXPECT_FALSE(rig.device->suspended());
    executor.clock().sleep(milliseconds(2));
    expect_suspended(rig);

    const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
    const Ref<Group> group = rig.new_group(vm);
    EXPECT_TRUE(rig.device->suspended()) << "a group without jobs needs no device";
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, 0x1000)), 1);
    EXPECT_FALSE(rig.device->suspended());
    // Each job begins the delay anew.
    for (int i = 0; i < 4; ++i) {
      executor.clock().sleep(kDelay - milliseconds(5));
      EXPECT_FALSE(rig.device->suspended());
      EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, 0x1000)), 1);
    }
    executor.clock().sleep(kDelay + milliseconds(5));
    expect_suspended(rig);
    // The group was saved, and resumes.
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, 0x1000)), 1);
    EXPECT_EQ(rig.device->resets(), 0u);
    group->destroy();
  });
}

TEST(RuntimeSuspend, NeverWhileAJobRuns) {
  for_each_seed(1, [](SimExecutor& executor) {
    DeviceRig rig(executor);
    rig.autosuspend_delay = kDelay;
    ASSERT_EQ(rig.probe(), Errno{});
    const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
    const Ref<Group> group = rig.new_group(vm);
    rig.gpu.with_firmware([](FakeFirmware& fake) {
      fake.scripts[0x1000] = {.kind = FakeFirmware::Script::Kind::kHang};
    });
    const Ref<Fence> hangs = CsfRig::submit(*group, 0, 0x1000);
    executor.clock().sleep(seconds(1));
    EXPECT_FALSE(rig.device->suspended());
    rig.gpu.with_firmware([](FakeFirmware& fake) {
      fake.scripts[0x1000] = {.kind = FakeFirmware::Script::Kind::kDone};
    });
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*hangs), 1);
    group->destroy();
  });
}

// The delay counts from when the work ended, however long ago the device was idle before.
TEST(RuntimeSuspend, TheDelayBeginsWhenTheWorkEnds) {
  for_each_seed(1, [](SimExecutor& executor) {
    DeviceRig rig(executor);
    rig.autosuspend_delay = kDelay;
    ASSERT_EQ(rig.probe(), Errno{});
    const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
    const Ref<Group> group = rig.new_group(vm);
    const auto hang = [&](FakeFirmware::Script::Kind kind) {
      rig.gpu.with_firmware([&](FakeFirmware& fake) { fake.scripts[0x1000] = {.kind = kind}; });
    };
    hang(FakeFirmware::Script::Kind::kHang);
    const Ref<Fence> hangs = CsfRig::submit(*group, 0, 0x1000);
    executor.clock().sleep(kDelay - milliseconds(2));
    hang(FakeFirmware::Script::Kind::kDone);
    rig.gpu.poke();
    EXPECT_EQ(rig.result(*hangs), 1);
    executor.clock().sleep(milliseconds(10));
    EXPECT_FALSE(rig.device->suspended());
    executor.clock().sleep(kDelay);
    EXPECT_TRUE(rig.device->suspended());
    group->destroy();
  });
}

TEST(RuntimeSuspend, JobsThatComeAtAnyMomentAreDone) {
  for_each_executor(2, [](Executor& executor) {
    DeviceRig rig(executor);
    rig.autosuspend_delay = microseconds(20);
    ASSERT_EQ(rig.probe(), Errno{});
    const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
    const Ref<Group> group = rig.new_group(vm);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, 0x1000)), 1);
      executor.clock().sleep(microseconds(7 * i));
    }
    EXPECT_EQ(rig.device->resets(), 0u);
    group->destroy();
  });
}

TEST(RuntimeSuspend, AResetOfASuspendedDeviceIsASlowBoot) {
  for_each_seed(1, [](SimExecutor& executor) {
    DeviceRig rig(executor);
    rig.autosuspend_delay = kDelay;
    ASSERT_EQ(rig.probe(), Errno{});
    executor.clock().sleep(kDelay + milliseconds(5));
    expect_suspended(rig);
    const std::uint64_t resets = rig.gpu.soft_resets();
    rig.device->request_reset("a test wants it");
    rig.device->settle();
    expect_suspended(rig);
    EXPECT_EQ(rig.device->resets(), 0u);
    const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
    const Ref<Group> group = rig.new_group(vm);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, 0x1000)), 1);
    EXPECT_EQ(rig.gpu.soft_resets(), resets + 1);
    group->destroy();
  });
}

TEST(RuntimeSuspend, ADeviceThatDoesNotComeUpAgainIsUnplugged) {
  for_each_seed(1, [](SimExecutor& executor) {
    DeviceRig rig(executor);
    rig.autosuspend_delay = kDelay;
    ASSERT_EQ(rig.probe(), Errno{});
    executor.clock().sleep(kDelay + milliseconds(5));
    rig.gpu.with_firmware([](FakeFirmware& fake) { fake.refuses_to_boot = true; });
    const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
    const Ref<Group> group = rig.new_group(vm);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, 0x1000)), negative(Errno::kCanceled));
    EXPECT_TRUE(rig.device->unplugged());
    group->destroy();
  });
}

TEST(RuntimeSuspend, ReadingTheTimeBringsTheDeviceUp) {
  for_each_executor(1, [](Executor& executor) {
    DeviceRig rig(executor);
    rig.autosuspend_delay = kDelay;
    ASSERT_EQ(rig.probe(), Errno{});
    executor.clock().sleep(kDelay + milliseconds(20));
    static_cast<void>(rig.device->gpu_time());
    executor.lane(Lane::kScheduler).drain();
    EXPECT_GT(rig.gpu.soft_resets(), 0u) << "it was suspended";
  });
}

TEST(GpuInterrupt, ABusFaultIsAnsweredEachTime) {
  for_each_executor(1, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    for (int i = 0; i < 2; ++i) {
      rig.gpu.raise_gpu_fault();
      executor.lane(Lane::kIrq).drain();
      EXPECT_EQ(rig.gpu.read32(regs::kIrqRawstat) & 1, 0u);
      EXPECT_EQ(rig.gpu.gpu_mask(), 3u);
    }
  });
}

}  // namespace
}  // namespace pantry::driver
