// SPDX-License-Identifier: MIT
//
// The tests that any PageTableAllocator must pass. A new allocator writes a harness and
// instantiates the suite:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(TableReserve, PageTableAllocatorConformance, ReserveHarness);
//
// The harness is default-constructible and has: allocator(); dram(); capacity(), how many pages
// alloc can give before it runs out; after_flush(), the flush that covers everything freed so far
// is done and as many pages as before can be had.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "driver/iopgtable/page_table_allocator.h"
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

REGISTER_TYPED_TEST_SUITE_P(PageTableAllocatorConformance,
                            PagesAreZeroedAlignedDistinctFramesOfDram, RunsOutWithEnomemAndRecovers,
                            NobodyElseWritesToAPageThatIsOut, AFreedPageWaitsForTheFlush,
                            PagesComeBackZeroed, TakesBackAPageThatWasNeverInstalled,
                            RefusesASizeItCannotAlign, AllocatesOnOneThreadAndFreesOnAnother);

}  // namespace pantry::driver
