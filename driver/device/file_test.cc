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

// A report of a large VM takes long, and the client's other threads go on meanwhile.
TEST(FileIds, VmsAreVisitedWithoutTheLock) {
  for_each_executor(1, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    File file(*rig.device, NodeType::kRender, {});
    const auto add = [&] { return file.add_vm(Vm::create(rig.device->vm_device(), 0).value()); };
    ASSERT_TRUE(add().has_value());
    ASSERT_TRUE(add().has_value());
    std::vector<std::uint32_t> seen;
    file.for_each_vm([&](std::uint32_t id, const Vm& vm) {
      seen.push_back(id);
      EXPECT_FALSE(vm.destroyed()) << "visited after its end";
      EXPECT_TRUE(add().has_value());
      if (id == 1) {
        EXPECT_TRUE(file.destroy_vm(1).has_value());
      }
    });
    EXPECT_EQ(seen, (std::vector<std::uint32_t>{1, 2})) << "of the call, in order";
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
      EXPECT_EQ(second.set_master(second.credentials()).error(), Errno::kAcces);
      EXPECT_EQ(admin.set_master(admin.credentials()).error(), Errno::kBusy);
      EXPECT_EQ(admin.drop_master(admin.credentials()).error(), Errno::kInval);
      EXPECT_TRUE(first.drop_master(first.credentials()).has_value());
      EXPECT_TRUE(admin.set_master(admin.credentials()).has_value());
      EXPECT_EQ(first.set_master(first.credentials()).error(), Errno::kBusy);
    }
    EXPECT_TRUE(first.set_master(first.credentials()).has_value())
        << "the master has closed its file";
  });
}

TEST(FileMagic, MasterMakesOthersAuthenticatedOnce) {
  for_each_executor(1, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    File master(*rig.device, NodeType::kPrimary, {});
    File admin(*rig.device, NodeType::kPrimary, {.sys_admin = true});
    EXPECT_TRUE(master.is_authenticated());
    EXPECT_TRUE(admin.is_authenticated());
    std::uint32_t second_magic = 0;
    {
      File other(*rig.device, NodeType::kPrimary, {});
      File second(*rig.device, NodeType::kPrimary, {});
      EXPECT_EQ(other.magic().value(), 1u);
      EXPECT_EQ(second.magic().value(), 2u);
      EXPECT_EQ(other.magic().value(), 1u) << "keeps it";
      EXPECT_FALSE(other.is_authenticated());
      EXPECT_EQ(master.authenticate(3).error(), Errno::kInval);
      EXPECT_EQ(master.authenticate(0).error(), Errno::kInval);
      EXPECT_TRUE(master.authenticate(1).has_value());
      EXPECT_TRUE(other.is_authenticated());
      EXPECT_FALSE(second.is_authenticated());
      EXPECT_EQ(master.authenticate(1).error(), Errno::kInval) << "once";
      EXPECT_EQ(other.set_master(other.credentials()).error(), Errno::kAcces)
          << "known, but no master";
      second_magic = second.magic().value();
    }
    EXPECT_EQ(master.authenticate(second_magic).error(), Errno::kInval) << "its file is closed";
    EXPECT_EQ(master.magic().value(), 1u) << "numbers of closed files are free again";
  });
}

TEST(FileMagic, BelongsToTheReignInWhichTheFileOpened) {
  for_each_executor(1, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    File first(*rig.device, NodeType::kPrimary, {});
    File subject(*rig.device, NodeType::kPrimary, {});
    const std::uint32_t magic = subject.magic().value();
    ASSERT_TRUE(first.drop_master(first.credentials()).has_value());
    File usurper(*rig.device, NodeType::kPrimary, {});
    ASSERT_TRUE(usurper.is_master());
    EXPECT_EQ(usurper.authenticate(magic).error(), Errno::kInval) << "knows nobody yet";
    ASSERT_TRUE(usurper.drop_master(usurper.credentials()).has_value());
    ASSERT_TRUE(first.set_master(first.credentials()).has_value());
    EXPECT_TRUE(first.authenticate(magic).has_value()) << "the same reign as before";
  });
}

TEST(FileBuffers, EachOpeningByNameIsAHandleOfItsOwn) {
  for_each_executor(1, [](Executor& executor) {
    DeviceRig rig(executor);
    ASSERT_EQ(rig.probe(), Errno{});
    BufferNames& names = rig.device->buffer_names();
    File maker(*rig.device, NodeType::kPrimary, {});
    const Ref<Buffer> buffer = rig.device->buffers().create(kPageSize, 0, {}).value();
    const std::uint32_t made = maker.add_buffer(buffer).value();
    const std::uint32_t name = names.name_of(*buffer).value();
    {
      File opener(*rig.device, NodeType::kPrimary, {});
      const std::uint32_t one = opener.add_buffer(names.find(name)).value();
      const std::uint32_t other = opener.add_buffer(names.find(name)).value();
      EXPECT_NE(one, other);
      EXPECT_TRUE(opener.close_buffer(one).has_value());
      EXPECT_TRUE(opener.owns(*buffer)) << "by the other handle";
      // Until one of them has been a dma-buf, an import is a handle of its own, too.
      const std::uint32_t imported = opener.import_buffer(buffer).value();
      EXPECT_NE(imported, other);
      EXPECT_EQ(opener.import_buffer(buffer).value(), imported);
      EXPECT_TRUE(opener.close_buffer(imported).has_value());
      opener.note_export(other);
      EXPECT_EQ(opener.import_buffer(buffer).value(), other);
      EXPECT_TRUE(maker.close_buffer(made).has_value());
      EXPECT_EQ(names.find(name).get(), buffer.get()) << "somebody has a handle";
    }
    EXPECT_FALSE(names.find(name)) << "the last handle went with its file";
    EXPECT_EQ(names.totals(), BufferNames::Totals{});
  });
}

}  // namespace
}  // namespace pantry::driver
