// SPDX-License-Identifier: MIT
#include "driver/memory/frame_bitmap.h"

#include <gtest/gtest.h>

#include <vector>

namespace pantry::driver {
namespace {

// Every run in three words, against a vector of bool.
TEST(FrameBitmap, SetsAndClearsExactlyTheRun) {
  constexpr std::uint64_t kFrames = 150;
  for (std::uint64_t first = 0; first < kFrames; ++first) {
    for (std::uint64_t count = 0; first + count <= kFrames; ++count) {
      FrameBitmap bitmap(kFrames);
      ASSERT_TRUE(bitmap.set(first, count));
      for (std::uint64_t frame = 0; frame < kFrames; ++frame)
        ASSERT_EQ(bitmap.test(frame), frame >= first && frame < first + count)
            << first << ' ' << count;
      ASSERT_TRUE(bitmap.clear(first, count));
      for (std::uint64_t frame = 0; frame < kFrames; ++frame) ASSERT_FALSE(bitmap.test(frame));
    }
  }
}

TEST(FrameBitmap, NoticesABitThatWasTheSameAlready) {
  for (const std::uint64_t odd : {60, 63, 64, 69}) {
    FrameBitmap bitmap(128);
    ASSERT_TRUE(bitmap.set(odd, 1));
    EXPECT_FALSE(bitmap.set(60, 10));
    FrameBitmap other(128);
    ASSERT_TRUE(other.set(60, 10));
    ASSERT_TRUE(other.clear(odd, 1));
    EXPECT_FALSE(other.clear(60, 10));
  }
}

}  // namespace
}  // namespace pantry::driver
