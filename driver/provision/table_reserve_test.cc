// SPDX-License-Identifier: MIT
#include "driver/provision/table_reserve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <limits>
#include <utility>
#include <vector>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/page_table_allocator_conformance.h"
#include "driver/kernel/each_executor.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/page_quota.h"

namespace pantry::driver {
namespace {

constexpr std::uint32_t kPages = 16;

class ReserveHarness {
 public:
  ReserveHarness() { after_flush(); }
  PageTableAllocator& allocator() { return reserve_; }
  const emu::Dram& dram() const { return memory_.dram(); }
  std::uint32_t capacity() const { return kPages; }
  void after_flush() {
    reserve_.release_after_flush();
    const ReserveStatistics& pages = reserve_.statistics();
    EXPECT_TRUE(reserve_.grow(kPages - (pages.used - pages.retired)));
  }

 private:
  TestDram memory_{2 * kPages * kPageSize};
  FrameAllocator frames_{{TestDram::kBase, 2 * kPages* kPageSize}, {}};
  PagePool pool_{frames_, memory_.dram()};
  TableReserve reserve_{pool_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Reserve, PageTableAllocatorConformance, ReserveHarness);

class TableReserveTest : public testing::Test {
 protected:
  TestDram memory{kPages * kPageSize};
  FrameAllocator frames{{TestDram::kBase, kPages* kPageSize}, {}};
  PagePool pool{frames, memory.dram()};
};

TEST_F(TableReserveTest, EveryPageIsUsedAvailableOrReturned) {
  TableReserve reserve(pool);
  ASSERT_TRUE(reserve.grow(3));
  ASSERT_TRUE(reserve.grow(2));
  const PhysAddr table = reserve.alloc(kPageSize).value();
  EXPECT_EQ(reserve.available(), 4u);
  reserve.free(table, kPageSize);
  EXPECT_EQ(reserve.available(), 4u) << "a retired page is not used again";
  EXPECT_EQ(pool.statistics().lent, 5u);
  reserve.release_after_flush();
  EXPECT_EQ(reserve.available(), 0u);
  const ReserveStatistics& pages = reserve.statistics();
  EXPECT_EQ(pages.reserved, 5u);
  EXPECT_EQ(pages.used, 1u);
  EXPECT_EQ(pages.returned, 4u);
  EXPECT_EQ(pages.retired, 1u);
  EXPECT_EQ(pool.statistics().lent, 0u);
}

TEST_F(TableReserveTest, MovingTakesThePagesAlong) {
  TableReserve from(pool);
  ASSERT_TRUE(from.grow(4));
  TableReserve to(std::move(from));
  EXPECT_EQ(from.available(), 0u);
  EXPECT_EQ(to.available(), 4u);
  TableReserve third(pool);
  ASSERT_TRUE(third.grow(1));
  third = std::move(to);
  EXPECT_EQ(third.available(), 4u);
  EXPECT_EQ(third.statistics().reserved, 4u);
  EXPECT_EQ(pool.statistics().lent, 4u) << "what it held before went back";
}

TEST_F(TableReserveTest, MovesAnyPartOfItsPages) {
  for (std::uint32_t pages = 0; pages <= 9; ++pages) {
    TableReserve reserve(pool);
    ASSERT_TRUE(reserve.grow(9));
    PageList list(pool.links());
    reserve.move_spares(pages, list);
    EXPECT_EQ(list.count(), pages);
    EXPECT_EQ(reserve.available(), 9 - pages);
    std::vector<PhysAddr> all;
    list.for_each([&](PhysAddr page) { all.push_back(page); });
    while (reserve.available() != 0) {
      all.push_back(reserve.alloc(kPageSize).value());
      reserve.free(all.back(), kPageSize);
    }
    std::ranges::sort(all);
    EXPECT_EQ(all.size(), 9u);
    EXPECT_TRUE(std::ranges::unique(all).empty());
    reserve.release_after_flush();
    pool.give_back(std::move(list), PagePool::Content::kZero);
    EXPECT_EQ(pool.statistics().lent, 0u);
  }
}

// Pending binds share a list of up to thousands of pages, which each of them borrows while it runs.
TEST(TableReserveCost, DoesNotGrowWithThePagesThatOthersHaveLaidIn) {
  const auto clocks = [](std::uint32_t pages) {
    const std::uint64_t bytes = (pages + 1) * kPageSize;
    TestDram memory(bytes);
    FrameAllocator frames({TestDram::kBase, bytes}, {});
    PagePool pool(frames, memory.dram());
    TableReserve reserve(pool);
    EXPECT_TRUE(reserve.grow(pages));
    PageList shared(pool.links());
    std::clock_t best = std::numeric_limits<std::clock_t>::max();
    for (int run = 0; run < 5; ++run) {
      const std::clock_t start = std::clock();
      for (int bind = 0; bind < 2'000; ++bind) {
        reserve.move_spares(pages - 1, shared);
        reserve.take_spares(shared);
      }
      best = std::min(best, std::clock() - start);
    }
    return best;
  };
  // A thousand times as many. Linear, it would take as many times as long.
  EXPECT_LT(clocks(8'000), 20 * (clocks(8) + 100));
}

TEST_F(TableReserveTest, GrowingGivesAllOrNothing) {
  TableReserve reserve(pool);
  ASSERT_TRUE(reserve.grow(kPages - 2));
  EXPECT_EQ(reserve.grow(3).error(), Errno::kNoMem);
  EXPECT_EQ(reserve.available(), kPages - 2);
  EXPECT_EQ(pool.statistics().lent, kPages - 2);
  EXPECT_TRUE(reserve.grow(2)) << "the failure kept none";
}

TEST_F(TableReserveTest, PendingPagesAreBoundedAcrossReserves) {
  PageQuota quota(6);
  TableReserve first(pool, quota);
  TableReserve second(pool, quota);
  ASSERT_TRUE(first.grow(4));
  EXPECT_EQ(second.grow(3).error(), Errno::kNoMem);
  EXPECT_EQ(quota.charged(), 4u) << "a refusal charges nothing";
  EXPECT_EQ(second.available(), 0u);
  EXPECT_EQ(pool.statistics().lent, 4u);
  ASSERT_TRUE(second.grow(2)) << "up to the limit";
  EXPECT_EQ(first.grow(1).error(), Errno::kNoMem);

  // A bind that has run is pending no longer, whatever it used.
  const PhysAddr table = first.alloc(kPageSize).value();
  first.release_after_flush();
  EXPECT_EQ(quota.charged(), 2u);
  EXPECT_TRUE(second.grow(4));
  second.free(table, kPageSize);
  second.release_after_flush();
  EXPECT_EQ(quota.charged(), 0u);
  EXPECT_EQ(quota.peak(), 6u);
  EXPECT_EQ(pool.statistics().lent, 0u);
}

TEST_F(TableReserveTest, AQuotaIsNoBoundForOneAlone) {
  PageQuota quota(4);
  TableReserve large(pool, quota);
  ASSERT_TRUE(large.grow(9));
  ASSERT_TRUE(large.grow(1)) << "counted again, and found to be one short";
  TableReserve small(pool, quota);
  EXPECT_EQ(small.grow(1).error(), Errno::kNoMem);
  // Moving takes the charge along; dropping ends it.
  TableReserve moved(std::move(large));
  EXPECT_EQ(quota.charged(), 10u);
  moved = TableReserve(pool, quota);
  EXPECT_EQ(quota.charged(), 0u);
  EXPECT_TRUE(small.grow(1));
}

TEST_F(TableReserveTest, AChargeMayBeHandedOver) {
  PageQuota quota(8);
  {
    TableReserve reserve(pool, quota);
    ASSERT_TRUE(reserve.charge(5));
    ASSERT_TRUE(reserve.grow(3)) << "of those that are charged";
    EXPECT_EQ(quota.charged(), 5u);
    ASSERT_TRUE(reserve.charge(2)) << "less changes nothing";
    ASSERT_TRUE(reserve.grow(3));
    EXPECT_EQ(quota.charged(), 6u);
    EXPECT_EQ(reserve.charged(), 6u);
    TableReserve other(pool, quota);
    EXPECT_EQ(other.charge(3).error(), Errno::kNoMem);
    EXPECT_EQ(other.charged(), 0u);
    reserve.hand_over_charge(4, 1);
    EXPECT_EQ(reserve.charged(), 1u);
    EXPECT_EQ(quota.charged(), 5u);
  }
  EXPECT_EQ(quota.charged(), 4u);
  quota.uncharge(4);
}

TEST_F(TableReserveTest, RetiredPagesMayBeLaidInAgain) {
  TableReserve reserve(pool);
  ASSERT_TRUE(reserve.grow(2));
  const PhysAddr first = reserve.alloc(kPageSize).value();
  const PhysAddr second = reserve.alloc(kPageSize).value();
  for (const PhysAddr page : {first, second}) {
    std::memset(memory.dram().at(page, kPageSize), 0x5a, kPageSize);
    reserve.free(page, kPageSize);
  }
  reserve.reuse_retired(1);
  EXPECT_EQ(reserve.available(), 1u);
  EXPECT_EQ(reserve.statistics().reserved, 3u);
  PageList list(pool.links());
  reserve.move_spares(1, list);
  EXPECT_EQ(reserve.available(), 0u);
  list.for_each([&](PhysAddr page) {
    const auto* bytes = static_cast<const std::uint8_t*>(memory.dram().at(page, kPageSize));
    EXPECT_EQ(std::count(bytes, bytes + kPageSize, 0), std::ptrdiff_t{kPageSize});
  });
  reserve.take_spares(list);
  EXPECT_EQ(reserve.available(), 1u);
  reserve.release_after_flush();
  EXPECT_EQ(pool.statistics().lent, 0u);
}

TEST_F(TableReserveTest, WhatThePoolCannotLendIsNotCharged) {
  PageQuota quota(1000);
  TableReserve reserve(pool, quota);
  ASSERT_TRUE(reserve.grow(2));
  EXPECT_EQ(reserve.grow(kPages).error(), Errno::kNoMem);
  EXPECT_EQ(quota.charged(), 2u);
}

using TableReserveDeathTest = TableReserveTest;

TEST_F(TableReserveDeathTest, RetiredPagesAreNotForgotten) {
  EXPECT_DEATH(
      {
        TableReserve reserve(pool);
        static_cast<void>(reserve.grow(1));
        reserve.free(reserve.alloc(kPageSize).value(), kPageSize);
      },
      "CHECK");
}

class PagePoolTest : public TableReserveTest {};

TEST_F(PagePoolTest, PagesComeBackZeroedAndAreUsedAgain) {
  PageList pages = pool.take(4).value();
  pages.for_each(
      [&](PhysAddr page) { std::memset(memory.dram().at(page, kPageSize), 0x77, kPageSize); });
  pool.give_back(std::move(pages), PagePool::Content::kUsed);
  EXPECT_EQ(pool.statistics().cached, 4u);
  pages = pool.take(6).value();
  pages.for_each([&](PhysAddr page) {
    const auto* bytes = static_cast<const std::uint8_t*>(memory.dram().at(page, kPageSize));
    EXPECT_EQ(std::count(bytes, bytes + kPageSize, 0), static_cast<std::ptrdiff_t>(kPageSize));
  });
  const PoolStatistics statistics = pool.statistics();
  EXPECT_EQ(statistics.fresh, 6u) << "4 and then 2";
  EXPECT_EQ(statistics.taken, 10u);
  EXPECT_EQ(statistics.returned, 4u);
  EXPECT_EQ(statistics.lent, 6u);
  EXPECT_EQ(statistics.cached, 0u);
  pool.give_back(std::move(pages), PagePool::Content::kZero);
}

TEST_F(PagePoolTest, TrimmingGivesFramesBack) {
  pool.give_back(pool.take(5).value(), PagePool::Content::kZero);
  EXPECT_EQ(frames.statistics().used, 5u);
  pool.trim(2);
  EXPECT_EQ(pool.statistics().cached, 2u);
  EXPECT_EQ(frames.statistics().used, 2u);
}

TEST_F(PagePoolTest, EachAllocationMayFailAndLendsNothing) {
  for (std::uint64_t n = 1;; ++n) {
    frames.faults().fail_nth(n);
    Result<PageList> pages = pool.take(3);
    const bool fired = frames.faults().fired();
    frames.faults().fail_nth(0);
    if (!fired) {
      EXPECT_EQ(n, 5u) << "the take itself and three frames";
      pool.give_back(std::move(pages).value(), PagePool::Content::kZero);
      break;
    }
    EXPECT_EQ(pages.error(), Errno::kNoMem);
    EXPECT_EQ(pool.statistics().lent, 0u);
    EXPECT_EQ(frames.statistics().used, 0u);
    EXPECT_EQ(pool.statistics().cached, 0u);
  }
}

// Whoever takes a page next does not pay for what somebody else has given back.
TEST(PagePoolTrim, SparePagesGoBackOnTheCleanUpLane) {
  constexpr std::uint32_t kMost = PagePool::kMaxCached;
  constexpr std::uint64_t kBytes = (kMost + 200) * kPageSize;
  TestDram memory(kBytes);
  FrameAllocator frames({TestDram::kBase, kBytes}, {});
  for_each_executor(1, [&](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kCleanup);
    PagePool pool(frames, memory.dram());
    PageList pages = pool.take(kMost + 100).value();
    pool.give_back(std::move(pages), PagePool::Content::kZero);
    pages = pool.take(1).value();
    EXPECT_EQ(pool.statistics().cached, kMost + 99) << "nobody has said where they may be freed";
    pool.trim_on(lane);
    pool.give_back(std::move(pages), PagePool::Content::kZero);
    lane.drain();
    EXPECT_EQ(pool.statistics().cached, kMost);
    EXPECT_EQ(frames.statistics().used, kMost);
  });
}

TEST(PagePoolOwner, TheDeviceIsToldWhoseATableIs) {
  class Owners final : public emu::FrameOwner {
   public:
    void changed(PhysExtent extent, std::uint64_t owner) override {
      EXPECT_EQ(extent.size, kPageSize);
      now = owner;
    }
    std::uint64_t now = 0;
  } owners;
  TestDram memory(kPages * kPageSize);
  FrameAllocator frames({TestDram::kBase, kPages * kPageSize},
                        {FrameAllocator::Placement::kCompact, 0, &owners});
  PagePool pool(frames, memory.dram());
  PageList page = pool.take(1).value();
  const std::uint64_t first = owners.now;
  EXPECT_NE(first, 0u);
  pool.give_back(std::move(page), PagePool::Content::kUsed);
  EXPECT_EQ(owners.now, 0u) << "nobody's while it waits";
  page = pool.take(1).value();
  EXPECT_GT(owners.now, first) << "not the former owner's";
  pool.give_back(std::move(page), PagePool::Content::kZero);
}

}  // namespace
}  // namespace pantry::driver
