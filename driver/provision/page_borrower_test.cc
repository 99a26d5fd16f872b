// SPDX-License-Identifier: MIT
#include "driver/provision/page_borrower.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <optional>
#include <vector>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/provision/page_magazine.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/table_reserve.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kPages = 64;  // of the device

Ref<Account> payer_of(std::uint64_t pages) {
  Limits limits;
  limits[Resource::kMemory] = pages * kPageSize;
  return make_ref<Account>(1, limits);
}
std::uint64_t pages_of(const Ref<Account>& payer) {
  return payer->held(Resource::kMemory) / kPageSize;
}

struct Memory {
  TestDram dram{kPages * kPageSize};
  FrameAllocator frames{{TestDram::kBase, kPages* kPageSize}, {}};
  PagePool pool{frames, dram.dram()};
};

TEST(PageBorrower, PastTheQuotaThePoolIsNotAsked) {
  Memory memory;
  const auto payer = payer_of(3);
  PageBorrower borrower(memory.pool, payer);
  TableReserve reserve(borrower);
  ASSERT_TRUE(reserve.grow(2));
  EXPECT_EQ(reserve.grow(2).error(), Errno::kNoMem);
  EXPECT_EQ(pages_of(payer), 2u);
  EXPECT_EQ(memory.pool.statistics().taken, 2u);
  EXPECT_EQ(reserve.available(), 2u);
  EXPECT_TRUE(reserve.grow(1));
}

TEST(PageBorrower, WhatThePoolHasNotIsNotCharged) {
  Memory memory;
  const auto payer = payer_of(2 * kPages);
  PageBorrower borrower(memory.pool, payer);
  EXPECT_EQ(borrower.take(kPages + 1).error(), Errno::kNoMem);
  EXPECT_EQ(pages_of(payer), 0u);
}

TEST(PageBorrower, AMagazineHoldsWhatItsVmPaysFor) {
  Memory memory;
  const auto payer = payer_of(kPages);
  PageBorrower borrower(memory.pool, payer);
  {
    PageMagazine magazine(borrower);
    TableReserve reserve(borrower);
    ASSERT_TRUE(reserve.grow(4));
    reserve.draw_on(magazine);
    reserve.fill_magazine();
    ASSERT_EQ(magazine.count(), 4u);
    EXPECT_EQ(pages_of(payer), 4u);
  }
  EXPECT_EQ(pages_of(payer), 0u);
}

TEST(PageBorrower, PagesThatNobodyPaysFor) {
  Memory memory;
  TableReserve reserve(memory.pool);
  EXPECT_TRUE(reserve.grow(kPages));
  EXPECT_EQ(memory.pool.unpaid().payer(), nullptr);
}

// Two clients of one pool, the first with two VMs: what each is charged is what a plain count says,
// whichever allocation fails.
RC_GTEST_PROP(PageBorrower, ChargesWhatIsOut, ()) {
  Memory memory;
  const std::uint64_t limit = *rc::gen::inRange<std::uint64_t>(0, kPages);
  const std::array payers{payer_of(limit), payer_of(kPages)};
  std::array<PageBorrower, 3> borrowers{PageBorrower(memory.pool, payers[0]),
                                        PageBorrower(memory.pool, payers[0]),
                                        PageBorrower(memory.pool, payers[1])};
  std::array<std::vector<PhysAddr>, 3> tables;
  std::array<std::uint64_t, 3> out{};
  const auto limit_left = [&](std::size_t who) {
    return who < 2 ? limit - out[0] - out[1] : kPages - out[2];
  };
  const auto steps = *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange(0u, 4096u));
  for (const std::uint32_t step : steps) {
    const std::size_t who = step % 3;
    const std::uint32_t pages = step / 3 % 16;
    TableReserve reserve(borrowers[who]);
    if (step % 5 == 0) {
      // An unmap of as many.
      for (std::uint32_t i = 0; i < pages && !tables[who].empty(); ++i, --out[who]) {
        reserve.free(tables[who].back(), kPageSize);
        tables[who].pop_back();
      }
      if (reserve.statistics().retired != 0 && step % 2 == 0) {
        reserve.reuse_retired(1);
        tables[who].push_back(reserve.alloc(kPageSize).value());
        ++out[who];
      }
      reserve.release_after_flush();
    } else {
      // A map that uses half of what it has laid in.
      const bool starve = step % 7 == 0;
      if (starve) memory.pool.faults().fail_nth(1);
      const bool fits = limit_left(who) >= pages;
      const bool there = out[0] + out[1] + out[2] + pages <= kPages;
      const Result<> grown = reserve.grow(pages);
      memory.pool.faults().fail_nth(0);
      RC_ASSERT(grown.has_value() == (fits && there && !starve));
      RC_ASSERT(pages_of(payers[who / 2]) ==
                (who < 2 ? out[0] + out[1] : out[2]) + (grown ? pages : 0));
      if (grown) {
        for (std::uint32_t i = 0; i < pages / 2; ++i, ++out[who])
          tables[who].push_back(reserve.alloc(kPageSize).value());
      }
      reserve.release_after_flush();
    }
    RC_ASSERT(pages_of(payers[0]) == out[0] + out[1]);
    RC_ASSERT(pages_of(payers[1]) == out[2]);
  }
  for (std::size_t who = 0; who < tables.size(); ++who) {
    TableReserve last(borrowers[who]);
    for (const PhysAddr page : tables[who]) last.free(page, kPageSize);
    last.release_after_flush();
  }
  RC_ASSERT(pages_of(payers[0]) + pages_of(payers[1]) == 0u);
}

}  // namespace
}  // namespace pantry::driver
