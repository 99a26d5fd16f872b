// SPDX-License-Identifier: MIT
#include "driver/device/file.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "driver/device/device_rig.h"

namespace pantry::driver {
namespace {

TEST(FileBuffers, TwoImportsAtOnceYieldOneHandle) {
  for_each_executor(2, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    File file(*rig.device, NodeType::kRender, {});
    const Ref<Buffer> buffer = rig.device->buffers().create(kPageSize, 0, {}).value();
    std::array<std::uint32_t, 2> handles{};
    auto one = test_thread([&] { handles[0] = file.import_buffer(buffer).value(); });
    auto other = test_thread([&] { handles[1] = file.import_buffer(buffer).value(); });
    executor.spawn("one", one);
    executor.spawn("other", other);
    executor.join_spawned();
    EXPECT_EQ(handles[0], handles[1]);
    EXPECT_TRUE(file.owns(*buffer));
    EXPECT_TRUE(file.close_buffer(handles[0]).has_value());
    EXPECT_FALSE(file.owns(*buffer));
    EXPECT_FALSE(file.buffer(handles[1])) << "closed once, it is closed";
  });
}

TEST(FileIds, VmsAreOneToThirtyTwoLowestFreeFirst) {
  for_each_executor(1, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    File file(*rig.device, NodeType::kRender, {});
    const auto add = [&] { return file.add_vm(Vm::create(rig.device->vm_device(), 0).value()); };
    for (std::uint32_t id = 1; id <= File::kMaxVms; ++id) ASSERT_EQ(add().value(), id);
    EXPECT_EQ(add().error(), Errno::kBusy);
    EXPECT_TRUE(file.destroy_vm(7).has_value());
    EXPECT_EQ(file.destroy_vm(7).error(), Errno::kInval);
    EXPECT_EQ(file.destroy_vm(0).error(), Errno::kInval);
    EXPECT_EQ(add().value(), 7u);
  });
}

TEST(FileClose, EndsTheJobsOfItsGroups) {
  for_each_executor(2, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    rig.gpu.with_firmware([](FakeFirmware& fake) {
      fake.scripts[0x1000] = {.kind = FakeFirmware::Script::Kind::kHang};
    });
    Ref<Fence> hangs;
    {
      File file(*rig.device, NodeType::kRender, {});
      const Ref<Vm> vm = Vm::create(rig.device->vm_device(), 0).value();
      ASSERT_TRUE(file.add_vm(vm).has_value());
      const Ref<Group> group = rig.new_group(vm);
      ASSERT_TRUE(file.add_group(group).has_value());
      hangs = CsfRig::submit(*group, 0, 0x1000);
    }
    EXPECT_EQ(rig.result(*hangs), negative(Errno::kCanceled));
  });
}

TEST(FileMaster, IsTheFirstOpenerOfThePrimaryNode) {
  for_each_executor(1, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    const File render(*rig.device, NodeType::kRender, {});
    EXPECT_FALSE(render.is_master());
    File first(*rig.device, NodeType::kPrimary, {});
    {
      File second(*rig.device, NodeType::kPrimary, {});
      File admin(*rig.device, NodeType::kPrimary, {.sys_admin = true});
      EXPECT_TRUE(first.is_master());
      EXPECT_EQ(second.set_master().error(), Errno::kAcces);
      EXPECT_EQ(admin.set_master().error(), Errno::kBusy);
      EXPECT_EQ(admin.drop_master().error(), Errno::kInval);
      EXPECT_TRUE(first.drop_master().has_value());
      EXPECT_TRUE(admin.set_master().has_value());
      EXPECT_EQ(first.set_master().error(), Errno::kBusy);
    }
    EXPECT_TRUE(first.set_master().has_value()) << "the master has closed its file";
  });
}

}  // namespace
}  // namespace pantry::driver
