// SPDX-License-Identifier: MIT
#include "driver/provision/worst_case.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace pantry::driver {
namespace {

constexpr TableConfig kPanthor{};  // 48 bits, leaves of 4 KiB and 2 MiB
constexpr std::uint64_t k512GiB = 512 * kGiB;

std::uint32_t map_pages(std::uint64_t va, std::uint64_t size) {
  return worst_case_map_pages(GpuRange::of_size({va}, size), kPanthor);
}
std::uint32_t unmap_pages(std::uint64_t va, std::uint64_t size) {
  return worst_case_unmap_pages(GpuRange::of_size({va}, size), kPanthor);
}

TEST(WorstCase, AMapTakesATablePerWindowItTouches) {
  EXPECT_EQ(map_pages(0, kPageSize), 3u);
  EXPECT_EQ(map_pages(2 * kMiB - kPageSize, kPageSize), 3u);
  EXPECT_EQ(map_pages(2 * kMiB - kPageSize, 2 * kPageSize), 4u) << "two of 2 MiB";
  EXPECT_EQ(map_pages(kGiB - kPageSize, 2 * kPageSize), 5u) << "and two of 1 GiB";
  EXPECT_EQ(map_pages(k512GiB - kPageSize, 2 * kPageSize), 6u) << "and two of 512 GiB";
  EXPECT_EQ(map_pages(3 * kGiB, kGiB), 514u);
  EXPECT_EQ(map_pages((std::uint64_t{1} << 48) - kPageSize, kPageSize), 3u) << "the top page";
}

TEST(WorstCase, AnUnmapTakesATablePerBlockThatAnEdgeCuts) {
  EXPECT_EQ(unmap_pages(0x200000, 2 * kMiB), 0u);
  EXPECT_EQ(unmap_pages(0x200000, kPageSize), 1u) << "only the end";
  EXPECT_EQ(unmap_pages(0x3ff000, kPageSize), 1u) << "only the start";
  EXPECT_EQ(unmap_pages(0x201000, kPageSize), 1u) << "both, of one block";
  EXPECT_EQ(unmap_pages(0x3ff000, 2 * kPageSize), 2u) << "both, of two blocks";
  EXPECT_EQ(unmap_pages(0, std::uint64_t{1} << 48), 0u) << "everything";
}

// What Panthor computes: one for an unaligned start, one more for an unaligned end if the two round
// up to different multiples of 2 MiB.
TEST(WorstCase, UnmapAgreesWithPanthor) {
  EXPECT_TRUE(rc::check([] {
    const std::uint64_t first = *rc::gen::inRange<std::uint64_t>(0, 2048) * kPageSize;
    const std::uint64_t size = *rc::gen::inRange<std::uint64_t>(1, 2048) * kPageSize;
    const std::uint64_t end = first + size;
    std::uint32_t pages = 0;
    if (!is_aligned(first, 2 * kMiB)) ++pages;
    if (!is_aligned(end, 2 * kMiB) && align_up(end, 2 * kMiB) != align_up(first, 2 * kMiB)) ++pages;
    RC_ASSERT(unmap_pages(first, size) == pages);
  }));
}

TEST(WorstCase, CountsWhatTheTableIsConfiguredFor) {
  const TableConfig small{.va_bits = 39, .pa_bits = 40, .page_sizes = kPageSize};
  EXPECT_EQ(worst_case_map_pages(GpuRange::of_size({0}, kPageSize), small), 2u) << "3 levels";
  EXPECT_EQ(worst_case_unmap_pages(GpuRange::of_size({0x1000}, kPageSize), small), 0u)
      << "without blocks nothing is split";
  const TableConfig large{.va_bits = 48, .pa_bits = 40, .page_sizes = kPageSize | 2 * kMiB | kGiB};
  EXPECT_EQ(worst_case_unmap_pages(GpuRange::of_size({0x1000}, kPageSize), large), 2u)
      << "a GiB into blocks of 2 MiB, one of those into pages";
}

}  // namespace
}  // namespace pantry::driver
