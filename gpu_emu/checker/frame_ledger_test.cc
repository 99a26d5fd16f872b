// SPDX-License-Identifier: MIT
#include "gpu_emu/checker/frame_ledger.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace pantry::emu {
namespace {

constexpr PhysAddr kBase{0x4000'0000};
constexpr std::uint64_t kFrames = 16;

// Only its addresses matter.
Dram dram() { return {kBase, kFrames * kPageSize, nullptr}; }

TEST(FrameLedger, NobodyOwnsAFrameAtFirst) {
  const FrameLedger ledger(dram());
  EXPECT_EQ(ledger.now(), 0u);
  EXPECT_EQ(ledger.at(kBase).owner, 0u);
  EXPECT_EQ(ledger.at(kBase).changed_at, 0u);
}

TEST(FrameLedger, OutsideOfMemoryNothingIsOwned) {
  FrameLedger ledger(dram());
  ledger.changed({kBase - kPageSize, 100 * kPageSize}, 5);
  EXPECT_EQ(ledger.at(kBase - 1).owner, 0u);
  EXPECT_EQ(ledger.at(kBase).owner, 5u);
  EXPECT_EQ(ledger.at(kBase + (kFrames * kPageSize - 1)).owner, 5u);
  EXPECT_EQ(ledger.at(kBase + kFrames * kPageSize).owner, 0u);
}

TEST(FrameLedger, WordsThatAreLentAreWrittenByWhoeverLendsThem) {
  alignas(kPageSize) std::uint64_t words[kPageSize / sizeof(std::uint64_t)] = {};
  ASSERT_EQ(FrameLedger::bytes_for(dram()), sizeof words);
  const FrameLedger ledger(dram(), words);
  EXPECT_EQ(ledger.now(), 0u);
  words[1] = 9;          // changes
  words[2 + 2 * 3] = 7;  // of frame 3: the owner, and since when
  words[2 + 2 * 3 + 1] = 8;
  EXPECT_EQ(ledger.now(), 9u);
  EXPECT_EQ(ledger.at(kBase + 3 * kPageSize).owner, 7u);
  EXPECT_EQ(ledger.at(kBase + 3 * kPageSize).changed_at, 8u);
  EXPECT_EQ(ledger.at(kBase + 2 * kPageSize).owner, 0u);
}

RC_GTEST_PROP(FrameLedger, IsTheLatestChangeOfEachFrame, ()) {
  FrameLedger ledger(dram());
  std::vector<FrameLedger::Entry> model(kFrames);
  const auto steps = *rc::gen::inRange(0, 40);
  for (int step = 0; step < steps; ++step) {
    const auto first = *rc::gen::inRange<std::uint64_t>(0, kFrames);
    const auto count = *rc::gen::inRange<std::uint64_t>(1, kFrames - first + 1);
    const auto owner = *rc::gen::inRange<std::uint64_t>(0, 5);
    ledger.changed({kBase + first * kPageSize, count * kPageSize}, owner);
    for (std::uint64_t n = first; n < first + count; ++n)
      model[n] = {owner, static_cast<std::uint64_t>(step) + 1};
  }
  RC_ASSERT(ledger.now() == static_cast<std::uint64_t>(steps));
  for (std::uint64_t n = 0; n < kFrames; ++n) {
    const FrameLedger::Entry entry = ledger.at(kBase + n * kPageSize + 123);
    RC_ASSERT(entry.owner == model[n].owner);
    RC_ASSERT(entry.changed_at == model[n].changed_at);
  }
}

}  // namespace
}  // namespace pantry::emu
