// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/lock_region.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>

namespace pantry::datasheet::lock_region {
namespace {

struct Golden {
  std::uint64_t start;
  std::uint64_t size;
  std::uint64_t word;
  GpuRange covers;
};

TEST(LockRegion, GoldenWords) {
  const Golden goldens[] = {
      {0x1000, 4 * kKiB, 0x0000'0000'0000'000e, {{0}, {0x7fff}}},
      {0x5000, 4 * kKiB, 0x400e, {{0}, {0x7fff}}},
      {0x400'0000, 64 * kKiB, 0x0400'000f, {{0x400'0000}, {0x400'ffff}}},
      {0x20'0000, 2 * kMiB, 0x20'0014, {{0x20'0000}, {0x3f'ffff}}},
      {0x10'0000, 3 * kMiB, 0x15, {{0}, {0x3f'ffff}}},
      {0x7fff'f000, 8 * kKiB, 0x1f, {{0}, {0xffff'ffff}}},
      {0, std::uint64_t{1} << 48, 0x2f, {{0}, {0xffff'ffff'ffff}}},
  };
  for (const Golden& golden : goldens) {
    const GpuRange range = GpuRange::of_size({golden.start}, golden.size);
    EXPECT_EQ(encode(range), golden.word) << std::hex << golden.start;
    EXPECT_EQ(decode(golden.word), golden.covers) << std::hex << golden.word;
  }
}

TEST(LockRegion, TheWholeSpace) {
  const GpuRange whole = {{0}, {~std::uint64_t{0}}};
  EXPECT_EQ(encode(whole), 0x3fu);
  EXPECT_EQ(decode(0x3f), whole);
}

TEST(LockRegion, ASizeBelowTheMinimumIsTheMinimum) {
  EXPECT_EQ(decode(0x9'0000), (GpuRange{{0x9'0000}, {0x9'7fff}}));
  EXPECT_EQ(decode(0x9'0000 | 13), (GpuRange{{0x9'0000}, {0x9'7fff}}));
}

TEST(LockRegion, SkipLevelsAreNoPartOfTheBase) {
  EXPECT_EQ(decode(0x400e | SkipLevels::of(15)), decode(0x400e));
}

// The smallest aligned power of two, found by doubling.
GpuRange smallest_region(GpuRange range) {
  std::uint64_t size = 32 * kKiB;
  while (size != 0 && align_down(range.first.value, size) != align_down(range.last.value, size)) {
    size *= 2;
  }
  if (size == 0) return {{0}, {~std::uint64_t{0}}};
  return GpuRange::of_size({align_down(range.first.value, size)}, size);
}

RC_GTEST_PROP(LockRegionProperty, IsTheSmallestThatHoldsTheRange,
              (std::uint64_t a, std::uint64_t b)) {
  // Shift, so that near and far pairs are met alike.
  const int shift = *rc::gen::inRange(0, 64);
  const std::uint64_t first = std::min(a, a ^ (b >> shift));
  const std::uint64_t last = std::max(a, a ^ (b >> shift));
  const GpuRange range = {{first}, {last}};
  RC_ASSERT(decode(encode(range)) == smallest_region(range));
}

}  // namespace
}  // namespace pantry::datasheet::lock_region
