// SPDX-License-Identifier: MIT
#include "gpu_emu/inject/fault_plan.h"

#include <gtest/gtest.h>

namespace pantry::emu {
namespace {

TEST(FaultPlan, EveryKindIsKnownByItsName) {
  for (const FaultKind kind : kFaultKinds) {
    const auto plan = parse_fault(name_of(kind));
    ASSERT_TRUE(plan) << name_of(kind);
    EXPECT_EQ(plan->kind, kind);
    EXPECT_EQ(plan->times, 1u);
  }
}

TEST(FaultPlan, TakesItsParameters) {
  const auto late = parse_fault("late-ack:after=7,every=3,times=0,delay=250ms");
  ASSERT_TRUE(late);
  EXPECT_EQ(late->after, 7u);
  EXPECT_EQ(late->every, 3u);
  EXPECT_EQ(late->times, 0u);
  EXPECT_EQ(late->delay, milliseconds(250));
  EXPECT_EQ(parse_fault("lost-irq:line=mmu")->line, Misbehaviour::Line::kMmu);
  const auto flip = parse_fault("pte-flip:as=3,bit=63");
  ASSERT_TRUE(flip);
  EXPECT_EQ(flip->as, 3u);
  EXPECT_EQ(flip->bit, 63u);
}

TEST(FaultPlan, RefusesWhatItDoesNotKnowAndSaysSo) {
  for (const char* text :
       {"", "stuck", "stuck-as:", "stuck-as:bit=1", "pte-flip:bit=64", "pte-flip:bit=",
        "lost-irq:line=dma", "late-ack:delay=100", "late-ack:delay=0ms", "slow-flush:every=0",
        "slow-flush:times=-1", "slow-flush:times=1,", "stuck-as:as=16", "stuck-as;as=1",
        "firmware-hang:delay=1ms", "pte-flip:as bit=1", "slow-flush:times=99999999999"}) {
    const auto plan = parse_fault(text);
    ASSERT_FALSE(plan) << text;
    EXPECT_FALSE(plan.error().empty()) << text;
  }
}

}  // namespace
}  // namespace pantry::emu
