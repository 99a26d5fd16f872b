// SPDX-License-Identifier: MIT
#include "gpu_emu/power_domain.h"

#include <gtest/gtest.h>

#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::gpu_control;
constexpr std::uint32_t kChanged = 3u << 9;

class DomainRig {
 public:
  explicit DomainRig(const PowerDomain::Timing& timing)
      : domain(file,
               {regs::kShaderPresent, regs::kShaderReady, regs::kShaderPwrOn, regs::kShaderPwrOff,
                regs::kShaderPwrTrans, regs::kShaderPwrActive},
               kPresent, timing, irq, clock) {}

  static constexpr std::uint64_t kPresent = 0x1'0000'0000'0005;
  std::uint64_t read(datasheet::Register reg) {
    return file.read(reg.offset) | std::uint64_t{file.read(reg.offset + 4)} << 32;
  }
  std::uint32_t take_interrupts() {
    const std::uint32_t bits = irq.rawstat();
    file.write(regs::kIrqClear, bits);
    return bits;
  }

  RegisterFile file;
  LevelLine line;
  IrqBlock irq{file, {regs::kIrqRawstat, regs::kIrqClear, regs::kIrqMask, regs::kIrqStatus}, line};
  ManualClock clock;
  PowerDomain domain;
};

constexpr PowerDomain::Timing kSlow = {microseconds(10), Quirks::RedundantPowerOn::kNoEffect};

TEST(PowerDomain, SwitchesTheUnitsThatArePresent) {
  DomainRig rig(kSlow);
  EXPECT_EQ(rig.read(regs::kShaderPresent), DomainRig::kPresent);
  EXPECT_EQ(rig.read(regs::kShaderReady), 0u);
  rig.file.write(regs::kShaderPwrOn, 0xffff'ffff);
  EXPECT_EQ(rig.clock.wakes, 1);
  EXPECT_EQ(rig.read(regs::kShaderPwrTrans), 5u);
  EXPECT_EQ(rig.read(regs::kShaderReady), 0u);
  EXPECT_EQ(rig.domain.advance(TimePoint{9'999}), TimePoint{10'000});
  EXPECT_EQ(rig.domain.advance(TimePoint{10'000}), TimePoint::never());
  EXPECT_EQ(rig.read(regs::kShaderPwrTrans), 0u);
  EXPECT_EQ(rig.read(regs::kShaderReady), 5u);
  EXPECT_EQ(rig.read(regs::kShaderPwrActive), 5u);
  EXPECT_EQ(rig.take_interrupts(), kChanged);

  rig.file.write(regs::kShaderPwrOn.offset + 4, 0x1'0000);
  rig.domain.advance(TimePoint{20'000});
  EXPECT_EQ(rig.read(regs::kShaderReady), DomainRig::kPresent);
}

TEST(PowerDomain, OffIsNotReadyFromTheStart) {
  DomainRig rig(kSlow);
  rig.file.write(regs::kShaderPwrOn, 5);
  rig.domain.advance(TimePoint{10'000});
  rig.clock.time = TimePoint{10'000};
  rig.file.write(regs::kShaderPwrOff, 4);
  EXPECT_EQ(rig.read(regs::kShaderReady), 1u);
  EXPECT_EQ(rig.read(regs::kShaderPwrTrans), 4u);
  rig.domain.advance(TimePoint{20'000});
  EXPECT_EQ(rig.read(regs::kShaderPwrTrans), 0u);
  EXPECT_EQ(rig.read(regs::kShaderReady), 1u);
}

TEST(PowerDomain, SwitchingOnWhatIsOnDependsOnTheQuirk) {
  for (const auto quirk :
       {Quirks::RedundantPowerOn::kNoEffect, Quirks::RedundantPowerOn::kPowerCycles}) {
    DomainRig rig({microseconds(10), quirk});
    rig.file.write(regs::kShaderPwrOn, 1);
    rig.domain.advance(TimePoint{10'000});
    rig.take_interrupts();
    rig.clock.time = TimePoint{10'000};
    rig.file.write(regs::kShaderPwrOn, 1);
    const bool cycles = quirk == Quirks::RedundantPowerOn::kPowerCycles;
    EXPECT_EQ(rig.read(regs::kShaderReady), cycles ? 0u : 1u);
    rig.domain.advance(TimePoint{20'000});
    EXPECT_EQ(rig.read(regs::kShaderReady), 1u);
    EXPECT_EQ(rig.take_interrupts(), cycles ? kChanged : 0u);
  }
}

TEST(PowerDomain, AnEmptyHalfDoesNotProlongATransition) {
  DomainRig rig(kSlow);
  rig.file.write(regs::kShaderPwrOn, 1);
  rig.clock.time = TimePoint{6'000};
  rig.file.write(regs::kShaderPwrOn.offset + 4, 0);
  rig.domain.advance(TimePoint{10'000});
  EXPECT_EQ(rig.read(regs::kShaderReady), 1u);
}

TEST(PowerDomain, WithoutDelayAndResetWithoutInterrupt) {
  DomainRig rig({nanoseconds(0), Quirks::RedundantPowerOn::kNoEffect});
  rig.file.write(regs::kShaderPwrOn, 5);
  EXPECT_EQ(rig.read(regs::kShaderReady), 5u);
  EXPECT_EQ(rig.clock.wakes, 0);
  rig.take_interrupts();
  rig.domain.reset();
  EXPECT_EQ(rig.read(regs::kShaderReady), 0u);
  EXPECT_EQ(rig.take_interrupts(), 0u);
}

}  // namespace
}  // namespace pantry::emu
