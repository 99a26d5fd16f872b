// SPDX-License-Identifier: MIT
//
// The tests that any PageTableAllocator must pass. A new allocator writes a harness and
// instantiates the suite:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(TableReserve, PageTableAllocatorConformance, ReserveHarness);
//
// The harness is default-constructible and has: allocator(); dram(); capacity(), how many pages
// alloc can give before it runs out; after_flush(), the flush that covers everything freed so far
// is done and as many pages as before can be had. One whose allocator is made for several tables at
// a time, which do not know of one another, says so: `static constexpr bool kAtOnce = true;`.
//
// Run it under ThreadSanitizer as well.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/ref.h"
#include "driver/iopgtable/accounting_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/page_table_allocator.h"
#include "driver/iopgtable/table_metadata.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

template <class Harness>
class PageTableAllocatorConformance : public ::testing::Test {
 protected:
  ~PageTableAllocatorConformance() override {
    for (const PhysAddr page : out_) harness_.allocator().free(page, kPageSize);
    harness_.after_flush();
  }

  std::uint8_t* bytes_of(PhysAddr page) {
    return static_cast<std::uint8_t*>(harness_.dram().at(page, kPageSize));
  }
  bool holds_only(PhysAddr page, std::uint8_t value) {
    const std::uint8_t* bytes = bytes_of(page);
    return bytes &&
           std::all_of(bytes, bytes + kPageSize, [&](std::uint8_t b) { return b == value; });
  }
  PhysAddr alloc() {
    const Result<PhysAddr> page = harness_.allocator().alloc(kPageSize);
    EXPECT_TRUE(page.has_value()) << "after " << out_.size() << " pages";
    if (!page) std::abort();
    out_.push_back(*page);
    return *page;
  }
  void free(PhysAddr page) {
    out_.erase(std::find(out_.begin(), out_.end(), page));
    harness_.allocator().free(page, kPageSize);
  }

  static constexpr bool at_once() {
    if constexpr (requires { Harness::kAtOnce; }) return Harness::kAtOnce;
    return false;
  }
  // How often the thread has given up the processor to wait for something.
  static long waits() {
    rusage usage{};
    EXPECT_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
  }

  Harness harness_;
  std::vector<PhysAddr> out_;
};

TYPED_TEST_SUITE_P(PageTableAllocatorConformance);

TYPED_TEST_P(PageTableAllocatorConformance, PagesAreZeroedAlignedDistinctFramesOfDram) {
  std::set<std::uint64_t> seen;
  for (std::uint32_t i = 0; i < this->harness_.capacity(); ++i) {
    const PhysAddr page = this->alloc();
    EXPECT_EQ(page.value % kPageSize, 0u);
    ASSERT_TRUE(this->harness_.dram().contains(page, kPageSize));
    EXPECT_TRUE(this->holds_only(page, 0));
    EXPECT_TRUE(seen.insert(page.value).second) << "handed out twice";
  }
}

TYPED_TEST_P(PageTableAllocatorConformance, RunsOutWithEnomemAndRecovers) {
  for (std::uint32_t i = 0; i < this->harness_.capacity(); ++i) this->alloc();
  for (int again = 0; again < 2; ++again) {
    const Result<PhysAddr> page = this->harness_.allocator().alloc(kPageSize);
    ASSERT_FALSE(page.has_value());
    EXPECT_EQ(page.error(), Errno::kNoMem);
  }
  this->free(this->out_.front());
  this->harness_.after_flush();
  this->alloc();
}

TYPED_TEST_P(PageTableAllocatorConformance, NobodyElseWritesToAPageThatIsOut) {
  for (std::uint32_t i = 0; i < this->harness_.capacity(); ++i)
    std::memset(this->bytes_of(this->alloc()), 0xa5, kPageSize);
  const PhysAddr gone = this->out_.back();
  this->free(gone);
  this->harness_.after_flush();
  for (const PhysAddr page : this->out_) EXPECT_TRUE(this->holds_only(page, 0xa5));
}

// The device may walk a freed table until the flush: until then it is neither handed out nor
// written to.
TYPED_TEST_P(PageTableAllocatorConformance, AFreedPageWaitsForTheFlush) {
  const std::uint32_t capacity = this->harness_.capacity();
  const PhysAddr freed = this->alloc();
  std::memset(this->bytes_of(freed), 0x5a, kPageSize);
  this->free(freed);
  for (std::uint32_t i = 1; i < capacity; ++i) EXPECT_NE(this->alloc(), freed);
  EXPECT_TRUE(this->holds_only(freed, 0x5a));
}

TYPED_TEST_P(PageTableAllocatorConformance, PagesComeBackZeroed) {
  for (int round = 0; round < 3; ++round) {
    while (this->out_.size() < this->harness_.capacity()) {
      const PhysAddr page = this->alloc();
      EXPECT_TRUE(this->holds_only(page, 0));
      std::memset(this->bytes_of(page), 0xff, kPageSize);
    }
    if (round == 1) {
      this->harness_.allocator().free_tables(this->out_);
      this->out_.clear();
    }
    while (!this->out_.empty()) this->free(this->out_.front());
    this->harness_.after_flush();
  }
}

TYPED_TEST_P(PageTableAllocatorConformance, TakesBackAPageThatWasNeverInstalled) {
  this->free(this->alloc());
  this->harness_.after_flush();
  for (std::uint32_t i = 0; i < this->harness_.capacity(); ++i)
    EXPECT_TRUE(this->holds_only(this->alloc(), 0));
}

TYPED_TEST_P(PageTableAllocatorConformance, RefusesASizeItCannotAlign) {
  // A page of 64 KiB is either aligned to 64 KiB or refused; never a misaligned one.
  const Result<PhysAddr> large = this->harness_.allocator().alloc(16 * kPageSize);
  if (large) {
    EXPECT_EQ(large->value % (16 * kPageSize), 0u);
    EXPECT_TRUE(this->harness_.dram().contains(*large, 16 * kPageSize));
    this->harness_.allocator().free(*large, 16 * kPageSize);
  } else {
    EXPECT_EQ(large.error(), Errno::kInval);
  }
}

TYPED_TEST_P(PageTableAllocatorConformance, AllocatesOnOneThreadAndFreesOnAnother) {
  std::vector<PhysAddr> pages;
  PageTableAllocator& allocator = this->harness_.allocator();
  const std::uint32_t capacity = this->harness_.capacity();
  std::thread taker([&] {
    for (std::uint32_t i = 0; i < capacity; ++i) pages.push_back(*allocator.alloc(kPageSize));
  });
  taker.join();
  std::thread giver([&] {
    for (const PhysAddr page : pages) allocator.free(page, kPageSize);
  });
  giver.join();
  this->harness_.after_flush();
  for (std::uint32_t i = 0; i < capacity; ++i) this->alloc();
}

// From any thread, one call at a time; where several tables may share it, any number.
TYPED_TEST_P(PageTableAllocatorConformance, SeveralThreadsMayCallIt) {
  constexpr std::uint32_t kThreads = 4;
  PageTableAllocator& allocator = this->harness_.allocator();
  const std::uint32_t share = this->harness_.capacity() / kThreads;
  ASSERT_GE(share, 2u);
  std::mutex turn;
  for (int round = 0; round < 20; ++round) {
    std::array<std::uint32_t, kThreads> wrong{};
    std::vector<std::thread> threads;
    for (std::uint32_t me = 0; me < kThreads; ++me) {
      threads.emplace_back([&, me] {
        const auto calling = [&] {
          return this->at_once() ? std::unique_lock<std::mutex>() : std::unique_lock(turn);
        };
        const auto mark = static_cast<std::uint8_t>(me + 1);
        std::vector<PhysAddr> pages;
        for (std::uint32_t i = 0; i < share; ++i) {
          const Result<PhysAddr> page = [&] {
            const auto lock = calling();
            return allocator.alloc(kPageSize);
          }();
          wrong[me] += !page || !this->holds_only(*page, 0);
          if (!page) continue;
          std::memset(this->bytes_of(*page), mark, kPageSize);
          pages.push_back(*page);
        }
        for (const PhysAddr page : pages) {
          wrong[me] += !this->holds_only(page, mark);
          const auto lock = calling();
          allocator.free(page, kPageSize);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::uint32_t me = 0; me < kThreads; ++me) EXPECT_EQ(wrong[me], 0u) << "thread " << me;
    this->harness_.after_flush();
  }
}

// In a section, and with nothing left to be had: it neither sleeps nor waits for the flush.
TYPED_TEST_P(PageTableAllocatorConformance, FreeNeverBlocks) {
  for (std::uint32_t i = 0; i < this->harness_.capacity(); ++i) this->alloc();
  DeadList dead;
  long waited = -1;
  {
    const DeadList::Scope section(dead);
    waited = -this->waits();
    for (const PhysAddr page : this->out_) this->harness_.allocator().free(page, kPageSize);
    waited += this->waits();
  }
  this->out_.clear();
  EXPECT_EQ(waited, 0);
  EXPECT_TRUE(dead.empty());
}

// The other half of the contract: a table takes all of its pages here, the root with the very first
// allocation, and gives each back once, with the size that it asked for (AccountingAllocator).
TYPED_TEST_P(PageTableAllocatorConformance, ServesAPageTableFromItsFirstAllocationOn) {
  TableMetadata metadata(this->harness_.dram());
  AccountingAllocator accounting(this->harness_.allocator());
  auto table = ArmLpaeS1Table::create({48, 40, kPageSize | 2 * kMiB}, metadata, accounting);
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(accounting.allocations(), 1u);
  EXPECT_EQ(table->root().value % kPageSize, 0u);
  const std::array<PhysExtent, 1> extents{{{{0}, 4 * kMiB}}};
  const GpuRange range = GpuRange::of_size({kGiB - 2 * kMiB}, 4 * kMiB);
  ASSERT_FALSE(table->map(range, ExtentCursor(extents, 0), Prot::kNone, accounting).error);
  EXPECT_EQ(accounting.outstanding(), 4u) << "three levels, of which the lowest twice";
  EXPECT_EQ(table->unmap(GpuRange::of_size({kGiB}, kPageSize), accounting), kPageSize);
  EXPECT_EQ(accounting.outstanding(), 5u) << "the block is split";
  EXPECT_EQ(table->unmap(range, accounting), 4 * kMiB - kPageSize);
  EXPECT_EQ(accounting.outstanding(), 1u);
  table->destroy(accounting);
  EXPECT_EQ(accounting.outstanding(), 0u);
  EXPECT_EQ(accounting.frees(), accounting.allocations());
  this->harness_.after_flush();
  for (std::uint32_t i = 0; i < this->harness_.capacity(); ++i)
    EXPECT_TRUE(this->holds_only(this->alloc(), 0));
}

REGISTER_TYPED_TEST_SUITE_P(PageTableAllocatorConformance,
                            PagesAreZeroedAlignedDistinctFramesOfDram, RunsOutWithEnomemAndRecovers,
                            NobodyElseWritesToAPageThatIsOut, AFreedPageWaitsForTheFlush,
                            PagesComeBackZeroed, TakesBackAPageThatWasNeverInstalled,
                            RefusesASizeItCannotAlign, AllocatesOnOneThreadAndFreesOnAnother,
                            SeveralThreadsMayCallIt, FreeNeverBlocks,
                            ServesAPageTableFromItsFirstAllocationOn);

}  // namespace pantry::driver
