// SPDX-License-Identifier: MIT
#include "gpu_emu/mmio/irq_block.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <utility>
#include <vector>

namespace pantry::emu {
namespace {

class Line final : public IrqLine {
 public:
  void set(bool level) override { changes.push_back(level); }
  bool level() const { return !changes.empty() && changes.back(); }
  std::vector<bool> changes;
};

constexpr std::uint32_t kRaw = 0x20, kClear = 0x24, kMask = 0x28, kStatus = 0x2c;

struct Rig {
  RegisterFile file;
  Line line;
  IrqBlock irq{file,
               {datasheet::ro32(kRaw, "RAW"), datasheet::w1c32(kClear, "CLEAR"),
                datasheet::rw32(kMask, "MASK"), datasheet::ro32(kStatus, "STATUS")},
               line};
};

TEST(IrqBlock, LineIsRawstatAndMask) {
  Rig rig;
  rig.irq.raise(0x100);
  EXPECT_EQ(rig.file.read(kRaw), 0x100u);
  EXPECT_EQ(rig.file.read(kStatus), 0u);
  EXPECT_TRUE(rig.line.changes.empty());
  rig.file.write(kMask, 0x101);
  EXPECT_EQ(rig.file.read(kStatus), 0x100u);
  EXPECT_EQ(rig.line.changes, std::vector<bool>({true}))
      << "unmasking a pending bit raises the line";
  rig.file.write(kMask, 0);
  EXPECT_EQ(rig.line.changes, std::vector<bool>({true, false}));
  EXPECT_EQ(rig.file.read(kRaw), 0x100u) << "masking clears nothing";
}

TEST(IrqBlock, RawstatIsStickyUntilItsOwnBitIsCleared) {
  Rig rig;
  rig.file.write(kMask, ~0u);
  rig.irq.raise(0x3);
  rig.irq.raise(0x1);
  rig.file.write(kClear, 0x2);
  EXPECT_EQ(rig.file.read(kRaw), 0x1u);
  EXPECT_TRUE(rig.line.level());
  rig.file.write(kClear, 0x1);
  EXPECT_FALSE(rig.line.level());
  rig.irq.raise(0x1);
  EXPECT_EQ(rig.line.changes, std::vector<bool>({true, false, true}))
      << "an event after the clear counts again";
}

TEST(IrqBlock, OnlyARisingLineCanBeLost) {
  struct Loser final : Misbehaviour {
    bool loses_interrupt(Line) override {
      ++asked;
      return std::exchange(loses, false);
    }
    bool loses = false;
    unsigned asked = 0;
  } loser;
  Rig rig;
  rig.irq.attach(loser, Misbehaviour::Line::kJob);
  rig.irq.raise(0x4);
  EXPECT_EQ(loser.asked, 0u) << "masked";
  rig.file.write(kClear, 0x4);
  rig.file.write(kMask, 0x3);
  rig.irq.raise(0x1);
  EXPECT_EQ(loser.asked, 1u);
  rig.irq.raise(0x2);
  EXPECT_EQ(loser.asked, 1u) << "the line is up, and stays so";
  rig.file.write(kClear, 0x3);
  loser.loses = true;
  rig.irq.raise(0x1);
  EXPECT_FALSE(rig.line.level());
  EXPECT_EQ(rig.file.read(kRaw), 0x1u);
  rig.irq.raise(0x2);
  EXPECT_TRUE(rig.line.level()) << "the next one tells of both";
}

TEST(IrqBlock, ResetKeepsOrClearsTheMask) {
  Rig rig;
  rig.file.write(kMask, 0x5);
  rig.irq.raise(0x4);
  rig.irq.reset(IrqBlock::Mask::kKept);
  EXPECT_EQ(rig.file.read(kMask), 0x5u);
  EXPECT_EQ(rig.file.read(kRaw), 0u);
  EXPECT_FALSE(rig.line.level());
  rig.irq.reset(IrqBlock::Mask::kCleared);
  EXPECT_EQ(rig.file.read(kMask), 0u);
}

RC_GTEST_PROP(IrqBlock, FollowsTheNaiveModel, ()) {
  Rig rig;
  std::uint32_t raw = 0, mask = 0;
  std::vector<bool> changes;
  const auto steps = *rc::gen::container<std::vector<std::pair<int, std::uint32_t>>>(
      rc::gen::pair(rc::gen::inRange(0, 3), rc::gen::inRange<std::uint32_t>(0, 16)));
  for (const auto& [what, bits] : steps) {
    const bool before = (raw & mask) != 0;
    if (what == 0) {
      rig.irq.raise(bits);
      raw |= bits;
    } else if (what == 1) {
      rig.file.write(kClear, bits);
      raw &= ~bits;
    } else {
      rig.file.write(kMask, bits);
      mask = bits;
    }
    const bool after = (raw & mask) != 0;
    if (before != after) changes.push_back(after);
    RC_ASSERT(rig.file.read(kRaw) == raw);
    RC_ASSERT(rig.file.read(kMask) == mask);
    RC_ASSERT(rig.file.read(kStatus) == (raw & mask));
    RC_ASSERT(rig.line.changes == changes);
  }
}

}  // namespace
}  // namespace pantry::emu
