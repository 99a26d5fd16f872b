// SPDX-License-Identifier: MIT
#include "driver/kernel/id_table.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <memory>
#include <vector>

namespace pantry::driver {
namespace {

TEST(IdTable, LowestFreeIdFirst) {
  IdTable<int> table(1, 4);
  for (std::uint32_t id = 1; id <= 4; ++id)
    EXPECT_EQ(table.put(static_cast<int>(10 * id), Errno::kBusy), id);
  EXPECT_EQ(table.put(0, Errno::kBusy).error(), Errno::kBusy);
  EXPECT_EQ(table.take(3), 30);
  EXPECT_EQ(table.take(2), 20);
  EXPECT_EQ(table.put(21, Errno::kBusy), 2u);
  EXPECT_EQ(table.put(31, Errno::kBusy), 3u);
  EXPECT_EQ(table.put(0, Errno::kNoSpc).error(), Errno::kNoSpc);
  ASSERT_NE(table.find(2), nullptr);
  EXPECT_EQ(*table.find(2), 21);
}

TEST(IdTable, TakeAllEmptiesInOrder) {
  IdTable<std::unique_ptr<int>> table(1, UINT32_MAX);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(table.put(std::make_unique<int>(i), Errno::kNoSpc));
  std::vector<int> seen;
  table.take_all([&](std::uint32_t, std::unique_ptr<int> object) { seen.push_back(*object); });
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.put(std::make_unique<int>(9), Errno::kNoSpc), 1u);
}

// The last id of the space is usable, and nothing wraps behind it.
TEST(IdTable, EndsAtTheLastId) {
  IdTable<int> table(UINT32_MAX - 1, UINT32_MAX);
  EXPECT_EQ(table.put(1, Errno::kNoSpc), UINT32_MAX - 1);
  EXPECT_EQ(table.put(2, Errno::kNoSpc), UINT32_MAX);
  EXPECT_EQ(table.put(3, Errno::kNoSpc).error(), Errno::kNoSpc);
  EXPECT_EQ(table.take(UINT32_MAX), 2);
  EXPECT_EQ(table.put(4, Errno::kNoSpc), UINT32_MAX);
}

RC_GTEST_PROP(IdTable, BehavesLikeAMapThatIsSearchedFromTheStart, ()) {
  const std::uint32_t first = *rc::gen::inRange(0u, 5u);
  const std::uint32_t last = first + *rc::gen::inRange(0u, 12u);
  IdTable<int> table(first, last);
  std::map<std::uint32_t, int> model;
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-2, 20));
  for (int step : steps) {
    if (step < 0) {
      std::uint32_t id = first;
      while (model.contains(id)) ++id;
      const Result<std::uint32_t> put = table.put(step, Errno::kBusy);
      RC_ASSERT(put.has_value() == (id <= last));
      if (!put) continue;
      RC_ASSERT(*put == id);
      model[id] = step;
    } else {
      const std::uint32_t id = first + static_cast<std::uint32_t>(step);
      const auto taken = table.take(id);
      RC_ASSERT(taken.has_value() == model.contains(id));
      model.erase(id);
    }
    RC_ASSERT(table.size() == model.size());
    for (std::uint32_t id = first; id <= last + 1; ++id)
      RC_ASSERT((table.find(id) != nullptr) == model.contains(id));
  }
}

}  // namespace
}  // namespace pantry::driver
