// SPDX-License-Identifier: MIT
#include "gpu_emu/inject/injector.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace pantry::emu {
namespace {

using Line = Misbehaviour::Line;

TEST(Injector, DoesNothingWithoutAPlan) {
  Injector injector;
  EXPECT_FALSE(injector.as_command_sticks(1));
  EXPECT_FALSE(injector.loses_interrupt(Line::kJob));
  EXPECT_FALSE(injector.firmware_hangs());
  EXPECT_FALSE(injector.corrupts_suspend_buffer());
  EXPECT_EQ(injector.extra_flush_time(), Duration{});
  EXPECT_EQ(injector.acknowledge_delay(), Duration{});
  EXPECT_EQ(injector.flipped_pte_bits(1), 0u);
  for (const FaultKind kind : kFaultKinds) EXPECT_EQ(injector.hits(kind), 0u);
}

RC_GTEST_PROP(Injector, HitsTheOccasionsThatThePlanNames, ()) {
  const auto after = *rc::gen::inRange<std::uint64_t>(0, 10);
  const auto every = *rc::gen::inRange<std::uint64_t>(1, 5);
  const auto times = *rc::gen::inRange<std::uint64_t>(0, 5);
  Injector injector;
  injector.add({.kind = FaultKind::kFirmwareHang, .after = after, .every = every, .times = times});
  std::uint64_t hits = 0;
  for (std::uint64_t n = 0; n < 60; ++n) {
    const bool due = n >= after && (n - after) % every == 0 && (times == 0 || hits < times);
    RC_ASSERT(injector.firmware_hangs() == due);
    hits += due;
  }
  RC_ASSERT(injector.hits(FaultKind::kFirmwareHang) == hits);
}

TEST(Injector, LooksOnlyAtItsLineAndItsAddressSpace) {
  Injector injector;
  injector.add({.kind = FaultKind::kLostInterrupt, .line = Line::kMmu});
  EXPECT_FALSE(injector.loses_interrupt(Line::kJob));
  EXPECT_FALSE(injector.loses_interrupt(Line::kGpu));
  EXPECT_TRUE(injector.loses_interrupt(Line::kMmu));
  injector.add({.kind = FaultKind::kPteBitFlip, .as = 3, .bit = 40});
  EXPECT_EQ(injector.flipped_pte_bits(2), 0u);
  EXPECT_EQ(injector.flipped_pte_bits(3), std::uint64_t{1} << 40);
  EXPECT_EQ(injector.flipped_pte_bits(3), 0u) << "once";
  injector.add({.kind = FaultKind::kStuckAsCommand});
  EXPECT_FALSE(injector.as_command_sticks(0)) << "the MCU's only when it is named";
  EXPECT_TRUE(injector.as_command_sticks(1));
}

TEST(Injector, PlansCountForThemselvesAndCanBeTakenBack) {
  Injector injector;
  injector.add({.kind = FaultKind::kSlowFlush, .after = 1, .delay = milliseconds(5)});
  injector.add({.kind = FaultKind::kSlowFlush, .delay = milliseconds(7)});
  EXPECT_EQ(injector.extra_flush_time(), milliseconds(7));
  EXPECT_EQ(injector.extra_flush_time(), milliseconds(5));
  EXPECT_EQ(injector.extra_flush_time(), Duration{});
  injector.add({.kind = FaultKind::kLateAcknowledge});
  injector.clear();
  EXPECT_EQ(injector.acknowledge_delay(), Duration{});
  EXPECT_EQ(injector.hits(FaultKind::kSlowFlush), 2u);
}

}  // namespace
}  // namespace pantry::emu
