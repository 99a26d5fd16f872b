// SPDX-License-Identifier: MIT
#include "driver/iopgtable/table_metadata.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bitset>
#include <vector>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/store_run.h"

namespace pantry::driver {
namespace {

TEST(TableInfo, RemembersItsWindowUntilItIsUsedAgain) {
  TableInfo info;
  for (const TableWindow window : {TableWindow{0, 0x7ff'ffff}, TableWindow{2, 511}}) {
    info.reset(window);
    info.set(3, 5);
    info.add_reference();
    info.add_reference();
    info.drop_reference();
    EXPECT_EQ(info.references(), 1u);
    EXPECT_EQ(info.window(), window);
  }
  info.reset({1, 7});
  EXPECT_EQ(info.references(), 0u);
  EXPECT_EQ(info.count(), 0u);
  EXPECT_EQ(info.window(), (TableWindow{1, 7}));
}

// Runs of entries are set and cleared in both, with every word boundary in play.
TEST(TableInfo, AgreesWithABitset) {
  EXPECT_TRUE(rc::check("TableInfo is a bitset of 512", [] {
    TableInfo info;
    std::bitset<kTableEntries> model;
    const auto steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) {
      const auto first = *rc::gen::inRange<std::uint32_t>(0, kTableEntries);
      const auto end = *rc::gen::inRange<std::uint32_t>(0, 3) == 0
                           ? first + 1
                           : *rc::gen::inRange<std::uint32_t>(first + 1, kTableEntries + 1);
      std::uint32_t in_model = 0;
      std::uint32_t first_in_model = end;
      for (std::uint32_t n = first; n < end; ++n) {
        in_model += model[n];
        if (model[n]) first_in_model = std::min(first_in_model, n);
      }
      RC_ASSERT(info.next_present(first, end) == first_in_model);
      RC_ASSERT(info.any(first, end) == (in_model != 0));
      const bool single = end == first + 1 && *rc::gen::arbitrary<bool>();
      if (single && *rc::gen::arbitrary<bool>()) {
        RC_ASSERT(info.clear(first) == in_model);
        model.reset(first);
      } else if (single) {
        RC_ASSERT(info.try_set(first) == (in_model == 0));
        model.set(first);
      } else if (in_model == 0) {
        info.set(first, end);
        for (std::uint32_t n = first; n < end; ++n) model.set(n);
      } else {
        RC_ASSERT(info.clear(first, end) == in_model);
        for (std::uint32_t n = first; n < end; ++n) model.reset(n);
      }
      RC_ASSERT(info.count() == model.count());
      for (std::uint32_t n = 0; n < kTableEntries; ++n) RC_ASSERT(info.test(n) == model[n]);
    }
  }));
}

TEST(TableInfoDeathTest, RefusesToSetTwice) {
  TableInfo info;
  info.set(60, 70);
  EXPECT_DEATH(info.set(69, 80), "CHECK");
}

TEST(TableMetadata, HasOneInfoPerFrameOfDram) {
  TestDram memory(4 * kPageSize);
  TableMetadata metadata(memory.dram());
  metadata.info(TestDram::kBase + 3 * kPageSize).set(0, 2);
  EXPECT_EQ(metadata.info(TestDram::kBase + 3 * kPageSize).count(), 2u);
  EXPECT_EQ(metadata.info(TestDram::kBase + 2 * kPageSize).count(), 0u);
}

TEST(TableMetadataDeathTest, ATableOutsideDramIsABug) {
  TestDram memory(4 * kPageSize);
  TableMetadata metadata(memory.dram());
  EXPECT_DEATH(metadata.info(TestDram::kBase + 4 * kPageSize), "CHECK");
  EXPECT_DEATH(metadata.info(TestDram::kBase - kPageSize), "CHECK");
}

// Every start, odd and even, and every length up to past a few vectors; what lies around stays.
TEST(StoreRun, StoresExactlyTheRun) {
  for (std::uint32_t first = 0; first < 5; ++first) {
    for (std::uint32_t count = 0; count < 20; ++count) {
      alignas(64) std::array<std::uint64_t, 32> slots;
      slots.fill(7);
      store_run(slots.data() + first, count, 0x8000'0f47, 0x1000);
      for (std::uint32_t i = 0; i < slots.size(); ++i) {
        const bool inside = i >= first && i < first + count;
        ASSERT_EQ(slots[i], inside ? 0x8000'0f47 + 0x1000 * std::uint64_t{i - first} : 7)
            << first << ' ' << count;
      }
    }
  }
}

}  // namespace
}  // namespace pantry::driver
