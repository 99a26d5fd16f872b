// SPDX-License-Identifier: MIT
#include "gpu_emu/mmu/set_associative.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace pantry::emu {
namespace {

struct Entry {
  CacheTag tag;
  std::uint64_t last_used = 0;
  int value = 0;
};

TEST(CacheTag, WorkedExample) {
  EXPECT_EQ(CacheTag::of({1}, 3, {0x5000}).word, 0x51du);
  EXPECT_EQ(CacheTag::of({1}, 3, {0x5fff}), CacheTag::of({1}, 3, {0x5000}));
}

RC_GTEST_PROP(CacheTag, GivesBackWhatItWasMadeOf, ()) {
  const auto as = *rc::gen::inRange<std::uint8_t>(0, 16);
  const auto level = *rc::gen::inRange(0u, 4u);
  const GpuVa va{*rc::gen::arbitrary<std::uint64_t>()};
  const CacheTag tag = CacheTag::of({as}, level, va);
  RC_ASSERT(tag.word != 0u);
  RC_ASSERT(tag.as().value == as);
  RC_ASSERT(tag.level() == level);
  RC_ASSERT(tag.covers().contains(va));
  RC_ASSERT(tag.covers().size() == std::uint64_t{1} << (39 - 9 * level));
}

TEST(SetAssociative, TheLeastRecentlyUsedOfASetGoes) {
  SetAssociative<Entry> cache(1, 3);
  const auto tag = [](std::uint64_t page) { return CacheTag::of({0}, 3, {page << 12}); };
  for (int page = 1; page <= 3; ++page) cache.insert({tag(page), 0, page});
  ASSERT_NE(cache.find(tag(1)), nullptr);
  cache.insert({tag(4), 0, 4});
  EXPECT_EQ(cache.find(tag(2)), nullptr);
  EXPECT_EQ(cache.find(tag(1))->value, 1);
  EXPECT_EQ(cache.find(tag(3))->value, 3);
  EXPECT_EQ(cache.find(tag(4))->value, 4);
}

TEST(SetAssociative, InsertingATagTwiceReplacesIt) {
  SetAssociative<Entry> cache(1, 2);
  const CacheTag tag = CacheTag::of({0}, 3, {0x1000});
  cache.insert({tag, 0, 1});
  cache.insert({tag, 0, 2});
  EXPECT_EQ(cache.find(tag)->value, 2);
  cache.drop({0}, {{0x1000}, {0x1fff}});
  EXPECT_EQ(cache.find(tag), nullptr) << "there was no second copy";
}

TEST(SetAssociative, NeighbouringPagesUseAllSets) {
  SetAssociative<Entry> cache(64, 2);
  for (std::uint64_t page = 0; page < 128; ++page)
    cache.insert({CacheTag::of({3}, 3, {page << 12}), 0, 0});
  for (std::uint64_t page = 0; page < 128; ++page)
    EXPECT_NE(cache.find(CacheTag::of({3}, 3, {page << 12})), nullptr) << page;
}

// Pages that lie a power of two apart, as those of large address spaces do, are found again in a
// cache that has grown, and do not make it grow without bounds.
TEST(SetAssociative, OneThatGrowsKeepsEverythingAndStaysSmall) {
  constexpr std::uint64_t kPages = 3000;
  for (const std::uint32_t ways : {1u, 4u}) {
    for (unsigned shift = 12; shift <= 36; ++shift) {
      SetAssociative<Entry> cache(2, ways, WhenFull::kGrows);
      const auto tag = [&](std::uint64_t page) { return CacheTag::of({1}, 3, {page << shift}); };
      for (std::uint64_t page = 0; page < kPages; ++page)
        cache.insert({tag(page), 0, static_cast<int>(page)});
      for (std::uint64_t page = 0; page < kPages; ++page) {
        const Entry* const entry = cache.find(tag(page));
        ASSERT_NE(entry, nullptr) << page << " shifted by " << shift;
        ASSERT_EQ(entry->value, static_cast<int>(page));
      }
      EXPECT_LE(cache.places(), 16 * kPages) << ways << " ways, shifted by " << shift;
    }
  }
}

// One set, against a list that is kept in order of use.
RC_GTEST_PROP(SetAssociative, OneSetIsAnLruList, ()) {
  constexpr std::size_t kWays = 4;
  SetAssociative<Entry> cache(1, kWays);
  std::vector<std::pair<CacheTag, int>> model;  // most recent first
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, 10), rc::gen::inRange(0, 8), rc::gen::inRange(0, 2)));
  int value = 0;
  for (const auto& [what, page, as] : steps) {
    const AsIndex index{static_cast<std::uint8_t>(as)};
    const CacheTag tag = CacheTag::of(index, 3, {std::uint64_t(page) << 12});
    const auto place = std::ranges::find(model, tag, [](const auto& entry) { return entry.first; });
    if (what < 5) {
      const Entry* entry = cache.find(tag);
      RC_ASSERT((entry != nullptr) == (place != model.end()));
      if (entry) {
        RC_ASSERT(entry->value == place->second);
        std::rotate(model.begin(), place, place + 1);
      }
    } else if (what < 9) {
      if (place != model.end()) model.erase(place);
      model.insert(model.begin(), {tag, ++value});
      if (model.size() > kWays) model.pop_back();
      cache.insert({tag, 0, value});
    } else {
      const GpuRange range{{std::uint64_t(page) << 12 | 0xfff}, {std::uint64_t(page + 1) << 12}};
      std::erase_if(model, [&](const auto& entry) {
        return entry.first.as() == index && entry.first.covers().intersects(range);
      });
      cache.drop(index, range);
    }
  }
}

TEST(SetAssociative, DropIsPerAddressSpaceAndTouchesWhatOverlaps) {
  SetAssociative<Entry> cache(4, 4);
  const CacheTag block = CacheTag::of({0}, 2, {0x20'0000});
  const CacheTag page = CacheTag::of({0}, 3, {0x20'0000});
  const CacheTag next = CacheTag::of({0}, 3, {0x20'1000});
  const CacheTag other = CacheTag::of({1}, 3, {0x20'0000});
  for (const CacheTag tag : {block, page, next, other}) cache.insert({tag, 0, 0});
  cache.drop({0}, {{0x20'0000}, {0x20'0fff}});
  EXPECT_EQ(cache.find(block), nullptr);
  EXPECT_EQ(cache.find(page), nullptr);
  EXPECT_NE(cache.find(next), nullptr);
  EXPECT_NE(cache.find(other), nullptr);
  cache.drop_all();
  EXPECT_EQ(cache.find(next), nullptr);
  EXPECT_EQ(cache.find(other), nullptr);
}

}  // namespace
}  // namespace pantry::emu
