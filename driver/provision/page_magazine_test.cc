// SPDX-License-Identifier: MIT
#include "driver/provision/page_magazine.h"

#include <gtest/gtest.h>

#include <utility>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/memory/frame_allocator.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/table_reserve.h"

namespace pantry::driver {
namespace {

class PageMagazineTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kBytes = 8 * kMiB;
  TestDram memory_{kBytes};
  FrameAllocator frames_{{TestDram::kBase, kBytes}, {}};
  PagePool pool_{frames_, memory_.dram()};

  PageList pages(std::uint32_t count) { return pool_.take(count).value(); }
};

TEST_F(PageMagazineTest, CountsAsThePools) {
  {
    PageMagazine magazine(pool_);
    PageList list = pages(5);
    EXPECT_EQ(pool_.statistics().lent, 5u);
    magazine.give(list);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(magazine.count(), 5u);
    EXPECT_EQ(pool_.statistics().lent, 0u);
    EXPECT_EQ(pool_.statistics().cached, 5u);
    ASSERT_TRUE(magazine.take(2, list));
    EXPECT_EQ(pool_.statistics().lent, 2u);
    EXPECT_EQ(pool_.statistics().cached, 3u);
    magazine.give(list);
  }
  EXPECT_EQ(pool_.statistics().lent, 0u);
  EXPECT_EQ(pool_.statistics().cached, 5u);
  pool_.trim(0);
  EXPECT_EQ(frames_.statistics().used, 0u);
}

TEST_F(PageMagazineTest, GivesAllOrNothing) {
  PageMagazine magazine(pool_);
  PageList list = pages(3);
  magazine.give(list);
  EXPECT_FALSE(magazine.take(4, list));
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(magazine.count(), 3u);
  ASSERT_TRUE(magazine.take(3, list));
  EXPECT_EQ(list.count(), 3u);
  EXPECT_EQ(magazine.count(), 0u);
  pool_.give_back(std::move(list), PagePool::Content::kZero);
}

TEST_F(PageMagazineTest, HoldsNoMoreThanItMay) {
  PageMagazine magazine(pool_);
  PageList list = pages(PageMagazine::kMost - 1);
  magazine.give(list);
  list = pages(2);
  magazine.give(list);
  EXPECT_EQ(list.count(), 2u) << "no room for both";
  pool_.give_back(std::move(list), PagePool::Content::kZero);
  EXPECT_EQ(magazine.count(), PageMagazine::kMost - 1);
}

// What a reserve draws it has laid in, and what it puts back it has returned.
TEST_F(PageMagazineTest, ServesAReserve) {
  PageMagazine magazine(pool_);
  PageList list = pages(4);
  magazine.give(list);
  {
    TableReserve reserve(pool_);
    EXPECT_FALSE(reserve.suffices(1)) << "it draws on nothing yet";
    reserve.draw_on(magazine);
    EXPECT_FALSE(reserve.suffices(5));
    EXPECT_EQ(reserve.available(), 0u);
    EXPECT_TRUE(reserve.suffices(3));
    EXPECT_EQ(reserve.available(), 3u);
    EXPECT_EQ(reserve.statistics().reserved, 3u);
    EXPECT_TRUE(reserve.suffices(2)) << "and takes no more";
    EXPECT_EQ(magazine.count(), 1u);
    const PhysAddr table = reserve.alloc(kPageSize).value();
    reserve.fill_magazine();
    EXPECT_EQ(magazine.count(), 3u);
    EXPECT_EQ(reserve.statistics().returned, 2u);
    reserve.free(table, kPageSize);
    reserve.release_after_flush();
  }
  EXPECT_EQ(pool_.statistics().lent, 0u);
}

}  // namespace
}  // namespace pantry::driver
