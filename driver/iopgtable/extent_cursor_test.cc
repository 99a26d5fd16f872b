// SPDX-License-Identifier: MIT
#include "driver/iopgtable/extent_cursor.h"

#include <gtest/gtest.h>

#include <vector>

namespace pantry::driver {
namespace {

const std::vector<PhysExtent> kExtents = {
    {{0x1000'0000}, 0x4000}, {{0x2000'0000}, 0x1000}, {{0x3000'0000}, 0x20'0000}};

TEST(ExtentCursor, StartsAnywhere) {
  EXPECT_EQ(ExtentCursor(kExtents, 0).address().value, 0x1000'0000u);
  EXPECT_EQ(ExtentCursor(kExtents, 0).contiguous(), 0x4000u);
  EXPECT_EQ(ExtentCursor(kExtents, 0x3000).address().value, 0x1000'3000u);
  EXPECT_EQ(ExtentCursor(kExtents, 0x3000).contiguous(), 0x1000u);
  EXPECT_EQ(ExtentCursor(kExtents, 0x4000).address().value, 0x2000'0000u);
  EXPECT_EQ(ExtentCursor(kExtents, 0x6000).address().value, 0x3000'1000u);
  EXPECT_EQ(ExtentCursor(kExtents, 0x6000).contiguous(), 0x1f'f000u);
}

TEST(ExtentCursor, AdvancesOverSeveralExtentsAtOnce) {
  ExtentCursor cursor(kExtents, 0x2000);
  cursor.advance(0x3000);
  EXPECT_EQ(cursor.address().value, 0x3000'0000u);
  cursor.advance(0x20'0000);
  EXPECT_EQ(cursor.contiguous(), 0u);
}

TEST(ExtentCursorDeathTest, NeverLeavesTheBuffer) {
  EXPECT_DEATH(ExtentCursor(kExtents, 0x20'6000), "CHECK");
  ExtentCursor cursor(kExtents, 0);
  EXPECT_DEATH(cursor.advance(0x20'5001), "CHECK");
}

}  // namespace
}  // namespace pantry::driver
