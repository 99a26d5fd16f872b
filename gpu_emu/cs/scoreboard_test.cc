// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/scoreboard.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <vector>

namespace pantry::emu {
namespace {

TEST(Scoreboard, CountsOperationsPerEntry) {
  Scoreboard scoreboard;
  EXPECT_TRUE(scoreboard.clear(Scoreboard::kAllEntries));
  scoreboard.begin(3);
  scoreboard.begin(3);
  scoreboard.end(3);
  EXPECT_EQ(scoreboard.busy(), 0x8u);
  EXPECT_FALSE(scoreboard.clear(0x8));
  EXPECT_TRUE(scoreboard.clear(0xf7));
  scoreboard.end(3);
  EXPECT_EQ(scoreboard.busy(), 0u);
}

TEST(Scoreboard, EndWithoutBeginIsABug) {
  Scoreboard scoreboard;
  EXPECT_DEATH(scoreboard.end(0), "outstanding");
}

RC_GTEST_PROP(Scoreboard, BusyIsTheMaskOfNonZeroCounts, (const std::vector<std::uint8_t>& moves)) {
  Scoreboard scoreboard;
  std::array<int, Scoreboard::kEntries> model{};
  for (const std::uint8_t move : moves) {
    const std::uint32_t entry = move % Scoreboard::kEntries;
    if (move >= 128 && model[entry] > 0) {
      --model[entry];
      scoreboard.end(entry);
    } else {
      ++model[entry];
      scoreboard.begin(entry);
    }
    std::uint32_t expected = 0;
    for (std::uint32_t i = 0; i < model.size(); ++i) expected |= (model[i] != 0 ? 1u : 0u) << i;
    RC_ASSERT(scoreboard.busy() == expected);
  }
}

}  // namespace
}  // namespace pantry::emu
