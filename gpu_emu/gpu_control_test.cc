// SPDX-License-Identifier: MIT
#include "gpu_emu/gpu_control.h"

#include <gtest/gtest.h>

#include <atomic>

#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/user_page.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::gpu_control;

class ControlRig final : public WholeDevice {
 public:
  explicit ControlRig(const Quirks& quirks)
      : control(datasheet::kMaliG610, quirks, {&page}, file, irq, *this, clock) {
    file.write(regs::kIrqMask, 0x2'0103);
  }
  void reset_device(regs::ResetMode mode) override {
    resets.push_back(mode);
    irq.reset(IrqBlock::Mask::kKept);
    control.reset();
  }
  std::uint32_t block_status() override { return 0x10; }

  void command(std::uint32_t word) { file.write(regs::kCommand, word); }
  std::uint32_t rawstat() { return file.read(regs::kIrqRawstat); }
  std::uint64_t read64(datasheet::Register reg) {
    return file.read(reg.offset) | std::uint64_t{file.read(reg.offset + 4)} << 32;
  }

  std::atomic<std::uint32_t> page{0};
  RegisterFile file;
  LevelLine line;
  IrqBlock irq{file, {regs::kIrqRawstat, regs::kIrqClear, regs::kIrqMask, regs::kIrqStatus}, line};
  ManualClock clock;
  std::vector<regs::ResetMode> resets;
  GpuControl control;
};

Quirks slow() {
  Quirks quirks;
  quirks.cache_flush_time = microseconds(50);
  quirks.reset_time = microseconds(80);
  return quirks;
}

TEST(GpuCommand, AFlushCompletesWhenItsTimeHasCome) {
  ControlRig rig(slow());
  const std::uint32_t before = rig.control.latest_flush();
  rig.command(0x1104);
  EXPECT_EQ(rig.clock.wakes, 1);
  EXPECT_EQ(rig.control.advance(TimePoint{49'999}), TimePoint{50'000});
  EXPECT_EQ(rig.rawstat(), 0u);
  EXPECT_EQ(rig.control.latest_flush(), before);
  EXPECT_EQ(rig.control.advance(TimePoint{50'000}), TimePoint::never());
  EXPECT_EQ(rig.rawstat(), 1u << 17);
  EXPECT_TRUE(rig.line.level);
  EXPECT_EQ(rig.control.latest_flush(), before + 1);
  EXPECT_EQ(rig.page, before + 1);
}

TEST(GpuCommand, OneAtATimeButAResetOvertakes) {
  ControlRig rig(slow());
  const std::uint32_t before = rig.control.latest_flush();
  rig.command(0x1104);
  rig.command(0x2'3304);  // lost
  rig.command(0x101);
  ASSERT_EQ(rig.resets, std::vector{regs::ResetMode::kSoft});
  EXPECT_EQ(rig.control.advance(TimePoint{50'000}), TimePoint{80'000});
  rig.control.advance(TimePoint{80'000});
  EXPECT_EQ(rig.rawstat(), 1u << 8) << "no flush any more";
  EXPECT_EQ(rig.control.latest_flush(), before);
}

TEST(GpuCommand, ResetModes) {
  Quirks quirks;
  quirks.reset_time = nanoseconds(0);
  ControlRig rig(quirks);
  for (const std::uint32_t word : {0x001u, 0x101u, 0x201u}) rig.command(word);
  EXPECT_EQ(rig.resets,
            (std::vector{regs::ResetMode::kFast, regs::ResetMode::kSoft, regs::ResetMode::kHard}));
  rig.command(0x301);
  EXPECT_EQ(rig.resets.size(), 3u);
}

TEST(GpuCommand, WhatDoesNotExistDoesNothing) {
  ControlRig rig(Quirks{});
  for (const std::uint32_t word : {0x0u, 0x2u, 0x6u, 0x9u, 0xffu, 0x203u}) rig.command(word);
  EXPECT_EQ(rig.rawstat(), 0u);
  EXPECT_TRUE(rig.resets.empty());
  EXPECT_EQ(rig.file.read(regs::kStatus), 0x10u);
}

TEST(LatestFlush, WrapsInTwentyFourBitsAndIsNeverZero) {
  ControlRig rig(Quirks{});
  std::uint32_t last = rig.control.latest_flush();
  EXPECT_EQ(rig.page, last);
  bool wrapped = false;
  for (std::uint32_t i = 0; i < 0x100'0010; ++i) {
    rig.control.advance_latest_flush();
    const std::uint32_t now = rig.control.latest_flush();
    ASSERT_NE(now, 0u);
    ASSERT_LE(now, 0xff'ffffu);
    if (now != last + 1) {
      EXPECT_EQ(now, 1u);
      wrapped = true;
    }
    last = now;
  }
  EXPECT_TRUE(wrapped);
  EXPECT_EQ(rig.page, last);
  EXPECT_EQ(rig.file.read(datasheet::user_page::kLatestFlush), last);
  rig.control.reset();
  EXPECT_EQ(rig.control.latest_flush(), last) << "clients hold old values";
}

TEST(Time, TimestampHasItsOffsetAndCyclesTheirSwitch) {
  ControlRig rig(Quirks{});
  rig.clock.time = TimePoint{2'000'000'000};
  EXPECT_EQ(rig.read64(regs::kTimestamp), 48'000'000u);
  rig.file.write(regs::kTimestampOffset, 0xffff'fff0);
  rig.file.write(regs::kTimestampOffset.offset + 4, 1);
  EXPECT_EQ(rig.read64(regs::kTimestamp), 48'000'000u + 0x1'ffff'fff0);
  EXPECT_EQ(rig.read64(regs::kTimestampOffset), 0x1'ffff'fff0u);

  EXPECT_EQ(rig.read64(regs::kCycleCount), 0u);
  rig.command(0x103);
  rig.clock.time = TimePoint{2'500'000'000};
  EXPECT_EQ(rig.read64(regs::kCycleCount), 400'000'000u);
  EXPECT_EQ(rig.file.read(regs::kStatus), 0x50u);
  rig.command(0x003);
  rig.clock.time = TimePoint{3'500'000'000};
  EXPECT_EQ(rig.read64(regs::kCycleCount), 400'000'000u) << "kept while it stands";
  rig.command(0x103);
  rig.clock.time = TimePoint{3'500'001'000};
  EXPECT_EQ(rig.read64(regs::kCycleCount), 400'000'800u);
  rig.control.reset();
  EXPECT_EQ(rig.read64(regs::kCycleCount), 0u);
}

TEST(BusFault, TheFirstOneStaysUntilItIsAnswered) {
  ControlRig rig(Quirks{});
  rig.control.latch_bus_fault(PhysAddr{0x12'3456'7000}, Access::kWrite, AsIndex{5});
  rig.control.latch_bus_fault(PhysAddr{0x999'9000}, Access::kRead, AsIndex{1});
  EXPECT_EQ(rig.file.read(regs::kFaultStatus), 0x80u | 3u << 8 | 1u << 10 | 1u << 11 | 5u << 12);
  EXPECT_EQ(rig.read64(regs::kFaultAddress), 0x12'3456'7000u);
  EXPECT_TRUE(rig.line.level);
  rig.file.write(regs::kIrqClear, 1);
  EXPECT_FALSE(rig.line.level);
  rig.control.latch_bus_fault(PhysAddr{0x999'9000}, Access::kRead, AsIndex{1});
  EXPECT_EQ(rig.read64(regs::kFaultAddress), 0x999'9000u);
  rig.command(0x7);
  EXPECT_EQ(rig.file.read(regs::kFaultStatus), 0u);
  EXPECT_EQ(rig.read64(regs::kFaultAddress), 0u);
  // The interrupt is still pending, but there is nothing left that another fault could replace.
  rig.control.latch_bus_fault(PhysAddr{0x777'7000}, Access::kRead, AsIndex{1});
  EXPECT_EQ(rig.read64(regs::kFaultAddress), 0x777'7000u);
}

}  // namespace
}  // namespace pantry::emu
