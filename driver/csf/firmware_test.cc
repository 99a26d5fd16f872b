// SPDX-License-Identifier: MIT
//
// Loading, booting and asking the firmware, over a scripted one.
#include "driver/csf/firmware.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "driver/csf/csf_rig.h"
#include "driver/kernel/each_executor.h"
#include "gpu_emu/datasheet/csg_interface.h"

namespace pantry::driver {
namespace {

using Sections = Firmware::Sections;

// Virtual time: limits cost nothing.
class FirmwareTest : public ::testing::Test {
 protected:
  Duration elapsed(TimePoint since) { return executor.clock().now() - since; }
  SimExecutor executor{1, 1};
  CsfRig rig{executor};
};

TEST_F(FirmwareTest, BootReadsTheInterfaceAndSetsItUp) {
  ASSERT_TRUE(rig.firmware->boot(Sections::kKept).has_value());
  FirmwareInterface& interface = rig.firmware->interface();
  EXPECT_EQ(interface.group_slots(), 3u);
  EXPECT_EQ(interface.stream_slots(), 8u);
  EXPECT_EQ(interface.stream_registers(), 96u);
  EXPECT_EQ(interface.scoreboards(), 8u);
  EXPECT_EQ(interface.suspend_bytes(), 0x100u);
  EXPECT_EQ(interface.version(), 0x0101'0000u);

  // mali-csf-hw.md: cores, timers of 10 ms and 800 us at 24 MHz, 5 * 500 * 2^20 cycles.
  const InterfaceBlock input =
      rig.gpu.with_firmware([](auto& fake) { return fake.global_input(); });
  EXPECT_EQ(input.load64(0x18), 0x5'0005u);
  EXPECT_EQ(input.load(0x14), 0xebu);
  EXPECT_EQ(input.load(0x80), 0x13u);
  EXPECT_EQ(input.load(0x10), 0x27'1000u);
  EXPECT_EQ(input.load(0x04), 0x0400'050eu);
  EXPECT_EQ(input.load(0x00), 0x0000'040eu) << "IDLE_EN and three toggles against acknowledge 0";
  EXPECT_EQ(interface.global().request.differing(), 0u) << "answered";
  EXPECT_EQ(rig.gpu.job_mask(), ~0u);
}

TEST_F(FirmwareTest, BootGivesUpAfterASecond) {
  rig.gpu.with_firmware([](auto& fake) { fake.refuses_to_boot = true; });
  const TimePoint start = executor.clock().now();
  EXPECT_EQ(rig.firmware->boot(Sections::kKept).error(), Errno::kTimedOut);
  EXPECT_GE(elapsed(start), Firmware::kBootLimit);
  EXPECT_LT(elapsed(start), Firmware::kBootLimit + milliseconds(200));
  EXPECT_EQ(rig.gpu.mcu_status(), 0u);
  EXPECT_EQ(rig.gpu.job_mask(), 0u);
}

TEST_F(FirmwareTest, MemoryIsKeptOrReloaded) {
  ASSERT_TRUE(rig.firmware->boot(Sections::kKept).has_value());
  constexpr std::uint32_t kSpare = 0x1'3ff8;  // of the shared section; nobody's
  InterfaceBlock section = rig.gpu.with_firmware([](auto& fake) { return fake.at_offset(0); });
  section.store(kSpare, 77);
  EXPECT_TRUE(rig.firmware->halt());
  EXPECT_EQ(rig.gpu.mcu_status(), 2u);
  rig.firmware->stop();
  EXPECT_EQ(rig.gpu.mcu_status(), 0u);
  ASSERT_TRUE(rig.firmware->boot(Sections::kKept).has_value());
  EXPECT_EQ(section.load(kSpare), 77u);
  EXPECT_EQ(rig.gpu.mcu_status(), 1u) << "HALT was taken back";

  rig.firmware->stop();
  section.store(0x10, 999);  // a wild write
  ASSERT_TRUE(rig.firmware->boot(Sections::kReloaded).has_value());
  EXPECT_EQ(section.load(kSpare), 0u);
  EXPECT_EQ(section.load(0x10), 3u);
}

TEST_F(FirmwareTest, AFirmwareThatDoesNotHaltSaysSo) {
  ASSERT_TRUE(rig.firmware->boot(Sections::kKept).has_value());
  rig.gpu.with_firmware([](auto& fake) { fake.is_deaf = true; });
  const TimePoint start = executor.clock().now();
  EXPECT_FALSE(rig.firmware->halt());
  EXPECT_GE(elapsed(start), Firmware::kAnswerLimit);
}

TEST_F(FirmwareTest, WaitNamesTheSlotsThatDoNotAnswer) {
  using datasheet::csg::Request;
  ASSERT_TRUE(rig.firmware->boot(Sections::kKept).has_value());
  rig.gpu.with_firmware([](auto& fake) { fake.ignored_slots = 1u << 1; });
  Firmware::GroupMasks masks{};
  for (const std::uint32_t slot : {0u, 1u, 2u}) {
    masks[slot] = Request::StatusUpdate::kMask;
    rig.firmware->interface().group(slot).request.ask(masks[slot]);
  }
  rig.firmware->ring_groups(7);
  const TimePoint start = executor.clock().now();
  EXPECT_EQ(rig.firmware->wait_for_groups(masks), 1u << 1);
  EXPECT_GE(elapsed(start), Firmware::kAnswerLimit);
  EXPECT_LT(elapsed(start), Firmware::kAnswerLimit * 2);
  masks[1] = 0;
  EXPECT_EQ(rig.firmware->wait_for_groups(masks), 0u);
}

TEST_F(FirmwareTest, PingsWhileThereIsWorkOnly) {
  rig.start();
  rig.gpu.with_firmware([](auto& fake) { fake.is_deaf = true; });
  executor.clock().sleep(seconds(30));
  EXPECT_EQ(rig.resets_wanted(), 0u) << "an idle firmware is left alone";
  rig.firmware->set_load(Firmware::Load::kBusy);
  executor.clock().sleep(seconds(11));
  EXPECT_EQ(rig.resets_wanted(), 0u);
  executor.clock().sleep(seconds(2));
  EXPECT_EQ(rig.resets_wanted(), 1u);
}

TEST_F(FirmwareTest, AnAnsweredPingIsFollowedByTheNext) {
  rig.start();
  rig.firmware->set_load(Firmware::Load::kBusy);
  executor.clock().sleep(seconds(60));
  EXPECT_EQ(rig.resets_wanted(), 0u);
  rig.gpu.with_firmware([](auto& fake) { fake.is_deaf = true; });
  executor.clock().sleep(seconds(13));
  EXPECT_EQ(rig.resets_wanted(), 1u);
  rig.firmware->set_load(Firmware::Load::kIdle);
}

// A slot that speaks while the handler hands on what another has said is heard as well.
TEST_F(FirmwareTest, AnInterruptDuringTheHandlerIsNotLost) {
  using datasheet::csg::Request;
  ASSERT_TRUE(rig.firmware->boot(Sections::kKept).has_value());
  executor.lane(Lane::kIrq).drain();  // what the boot itself had to say
  class SetsOffTheNext final : public FirmwareListener {
   public:
    explicit SetsOffTheNext(Firmware& firmware) : firmware_(firmware) {
      firmware_.set_listener(this);
    }
    ~SetsOffTheNext() { firmware_.set_listener(nullptr); }
    void set_off(std::uint32_t slot) {
      firmware_.interface().group(slot).request.ask(Request::StatusUpdate::kMask);
      firmware_.ring_groups(1u << slot);
    }
    void on_firmware_events(std::uint32_t job_interrupts) noexcept override {
      seen.push_back(job_interrupts);
      if (seen.size() < 3) set_off(static_cast<std::uint32_t>(seen.size()));
    }
    std::vector<std::uint32_t> seen;

   private:
    Firmware& firmware_;
  } listener(*rig.firmware);
  listener.set_off(0);
  executor.lane(Lane::kIrq).drain();
  EXPECT_EQ(listener.seen, (std::vector<std::uint32_t>{1, 2, 4}));
}

// Each damages the control blocks that a booted firmware has published.
class FirmwareInterfaceTest : public FirmwareTest {
 protected:
  FirmwareInterfaceTest() {
    EXPECT_TRUE(rig.firmware->boot(Sections::kKept).has_value());
    section = {static_cast<std::byte*>(static_cast<void*>(memory.data())), memory.size() * 8};
    const InterfaceBlock from = rig.gpu.with_firmware([](auto& f) { return f.at_offset(0); });
    // Pages of the section are not contiguous in the fake's DRAM, but in a kernel buffer they are.
    for (std::uint32_t at = 0; at < section.size(); at += 8) block.store64(at, from.load64(at));
  }
  void expect_refused(const char* why) {
    const auto result = FirmwareInterface::read(section);
    ASSERT_FALSE(result.has_value());
    EXPECT_THAT(result.error(), ::testing::HasSubstr(why));
  }
  std::vector<std::uint64_t> memory = std::vector<std::uint64_t>(0x1'4000 / 8);
  InterfaceBlock block{memory.data()};
  std::span<std::byte> section;
};

TEST_F(FirmwareInterfaceTest, AGoodOneIsRead) {
  EXPECT_TRUE(FirmwareInterface::read(section).has_value());
}
TEST_F(FirmwareInterfaceTest, Version) {
  block.store(0x00, 0);
  expect_refused("version");
}
TEST_F(FirmwareInterfaceTest, GroupCount) {
  for (const std::uint32_t count : {0u, 2u, 32u, ~0u}) {
    block.store(0x10, count);
    expect_refused("number of group slots");
  }
}
TEST_F(FirmwareInterfaceTest, MoreGroupsThanPrioritiesAreNotUsed) {
  block.store(0x10, 31);
  block.store(0x14, 0);  // all the same block
  EXPECT_EQ(FirmwareInterface::read(section).value().group_slots(), 16u);
}
TEST_F(FirmwareInterfaceTest, BlocksOutside) {
  block.store(0x08, 0x0401'4000);
  expect_refused("outside");
  block.store(0x08, 0x0401'3ff8);
  expect_refused("outside");
  block.store(0x08, 0x03ff'f000);
  expect_refused("outside");
  block.store(0x08, 0x0400'2004);
  expect_refused("aligned");
}
TEST_F(FirmwareInterfaceTest, StridesThatLeaveTheSection) {
  block.store(0x14, 0x8000'0000);
  expect_refused("outside");
}
TEST_F(FirmwareInterfaceTest, SlotsThatDiffer) {
  block.store(0x1100 + 0x0c, 0x200);
  expect_refused("group slots are not alike");
}
TEST_F(FirmwareInterfaceTest, StreamsThatDiffer) {
  block.store(0x1200 + 0x40 + 12, 0x0007'085d);
  expect_refused("streams are not alike");
}
TEST_F(FirmwareInterfaceTest, NumbersThatNobodyCanUse) {
  block.store(0x1000 + 0x0c, 0);
  expect_refused("suspend buffer");
  block.store(0x1000 + 0x0c, 0x100);
  block.store(0x1000 + 0x14, 7);
  expect_refused("number of streams");
  block.store(0x1000 + 0x14, 8);
  block.store(0x1040, 0x0007'08ff);
  expect_refused("number of registers");
  block.store(0x1040, 0x0007'005f);
  expect_refused("scoreboard");
}

}  // namespace
}  // namespace pantry::driver
