// SPDX-License-Identifier: MIT
//
// Each way to store many entries against one store for each.
#include "driver/iopgtable/wide_stores.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

namespace pantry::driver {
namespace {

constexpr std::uint64_t kOther = 0xdead'beef'0000'0001;  // what lies beside
constexpr std::uint32_t kSlots = 512;

struct Way {
  const char* name;
  bool available;
  decltype(&store_run_portable) run;
  decltype(&store_pages_portable) pages;
};
const std::array kWays = {
    Way{"portable", true, store_run_portable, store_pages_portable},
    Way{"wide", has_wide_stores(), store_run_wide, store_pages_wide},
};

struct alignas(4096) Slots {
  std::array<std::uint64_t, kSlots> at;
  Slots() { at.fill(kOther); }
};

TEST(WideStores, RunOfAnyLengthAnywhere) {
  for (const Way& way : kWays) {
    if (!way.available) continue;
    for (const std::uint64_t step : {std::uint64_t{0}, kPageSize, 2 * kMiB}) {
      for (std::uint32_t first = 0; first < 20; ++first) {
        for (std::uint32_t count = 0; first + count <= kSlots; count += count < 70 ? 1 : 37) {
          Slots got;
          Slots want;
          way.run(got.at.data() + first, count, 0xf47, step);
          for (std::uint32_t i = 0; i < count; ++i) want.at[first + i] = 0xf47 + i * step;
          ASSERT_EQ(got.at, want.at) << way.name << ' ' << first << ' ' << count << ' ' << step;
        }
      }
    }
  }
}

TEST(WideStores, RunUpToTheEndOfATable) {
  for (const Way& way : kWays) {
    if (!way.available) continue;
    for (std::uint32_t count = 1; count <= kSlots; ++count) {
      Slots got;
      Slots want;
      way.run(got.at.data() + kSlots - count, count, 7, 1);
      for (std::uint32_t i = 0; i < count; ++i) want.at[kSlots - count + i] = 7 + i;
      ASSERT_EQ(got.at, want.at) << way.name << ' ' << count;
    }
  }
}

// Scatter lists that are all of single pages, of short extents, of long ones, and mixtures, begun
// and ended inside of extents.
TEST(WideStores, PagesOfAScatterList) {
  EXPECT_TRUE(rc::check([] {
    constexpr std::uint64_t kAttributes = 0xf47;
    std::vector<PhysExtent> extents;
    std::vector<std::uint64_t> frames;
    const auto stretches = *rc::gen::inRange(1, 5);
    for (int i = 0; i < stretches; ++i) {
      const int most = *rc::gen::element(1, 1, 3, 16, 40, 300);
      const auto length = *rc::gen::inRange(1, 30);
      for (int j = 0; j < length; ++j) {
        const std::uint64_t pages = *rc::gen::inRange<std::uint64_t>(0, most + 1);
        const std::uint64_t first = *rc::gen::inRange<std::uint64_t>(1, 1 << 20);
        // One of nothing now and then.
        const std::uint64_t size = most == 1 ? (pages == 0 && j == 7 ? 0 : 1) : pages;
        extents.push_back({{first * kPageSize}, size * kPageSize});
        for (std::uint64_t k = 0; k < size; ++k) frames.push_back((first + k) * kPageSize);
      }
    }
    RC_PRE(!frames.empty());
    const auto skipped = *rc::gen::inRange<std::size_t>(0, frames.size());
    const auto count = *rc::gen::inRange<std::size_t>(
        1, std::min<std::size_t>(kSlots, frames.size() - skipped) + 1);
    const auto at = *rc::gen::inRange<std::size_t>(0, kSlots - count + 1);
    for (const Way& way : kWays) {
      if (!way.available) continue;
      Slots got;
      Slots want;
      std::uint64_t high = 0;
      for (std::size_t i = 0; i < count; ++i) {
        want.at[at + i] = frames[skipped + i] | kAttributes;
        high |= frames[skipped + i];
      }
      ExtentCursor cursor(extents, skipped * kPageSize);
      const FrameBits bits =
          way.pages(got.at.data() + at, static_cast<std::uint32_t>(count), cursor, kAttributes);
      RC_ASSERT(got.at == want.at);
      RC_ASSERT(bits.low % kPageSize == 0u);
      // The last frame of each extent counts: it has the highest bit.
      RC_ASSERT(std::bit_width(bits.high) == std::bit_width(high | (kPageSize - 1)));
      // What is left follows.
      for (std::size_t i = skipped + count; i < frames.size(); ++i) {
        RC_ASSERT(cursor.address().value == frames[i]);
        cursor.advance(kPageSize);
      }
      RC_ASSERT(cursor.contiguous() == 0u);
    }
  }));
}

TEST(WideStores, SayWhatTheFramesAreLike) {
  for (const Way& way : kWays) {
    if (!way.available) continue;
    for (std::size_t odd = 0; odd < 20; ++odd) {
      std::vector<PhysExtent> extents(20, {{kPageSize}, kPageSize});
      Slots slots;
      extents[odd] = {{5 * kPageSize + 8}, kPageSize};
      ExtentCursor askew(extents, 0);
      EXPECT_EQ(way.pages(slots.at.data(), 20, askew, 0).low % kPageSize, 8u) << way.name << odd;
      // The second page of the extent is past 1 TiB.
      extents[odd] = {{1024 * kGiB - kPageSize}, 2 * kPageSize};
      ExtentCursor outside(extents, 0);
      EXPECT_EQ(way.pages(slots.at.data(), 21, outside, 0).high >> 40, 1u) << way.name << odd;
      // Only the first is wanted.
      ExtentCursor inside(extents, 0);
      const auto wanted = static_cast<std::uint32_t>(odd + 1);
      EXPECT_EQ(way.pages(slots.at.data(), wanted, inside, 0).high >> 40, 0u) << way.name << odd;
    }
  }
}

TEST(WideStoresDeathTest, ListIsLongEnough) {
  const std::vector<PhysExtent> extents(9, {{kPageSize}, kPageSize});
  for (const Way& way : kWays) {
    if (!way.available) continue;
    Slots slots;
    ExtentCursor cursor(extents, 0);
    EXPECT_DEATH(way.pages(slots.at.data(), 10, cursor, 0), "CHECK") << way.name;
  }
}

}  // namespace
}  // namespace pantry::driver
