// SPDX-License-Identifier: MIT
#include "uapi/sysfs.h"

#include <gtest/gtest.h>

namespace pantry::uapi {
namespace {

TEST(ParseAttribute, TakesWhatSysfsTakes) {
  for (const char* text : {"3", "3\n", "+3", "0x3", "0X3\n", "03", "+0x3\n"})
    EXPECT_EQ(parse_attribute(text), 3u) << text;
  EXPECT_EQ(parse_attribute("0"), 0u);
  EXPECT_EQ(parse_attribute("0\n"), 0u);
  EXPECT_EQ(parse_attribute("4294967295"), 0xffff'ffffu);
  EXPECT_EQ(parse_attribute({"2\0x", 3}), 2u) << "up to the NUL";
}

TEST(ParseAttribute, RefusesTheRest) {
  for (const char* text : {"", "\n", "-1", "3 ", " 3", "3\n\n", "0x", "08", "three", "++3", "+-3"})
    EXPECT_EQ(parse_attribute(text).error(), Errno::kInval) << text;
  for (const char* text : {"4294967296", "0x100000000"})
    EXPECT_EQ(parse_attribute(text).error(), kRange) << text;
  EXPECT_EQ(parse_attribute("42949672960z").error(), Errno::kInval);
}

}  // namespace
}  // namespace pantry::uapi
