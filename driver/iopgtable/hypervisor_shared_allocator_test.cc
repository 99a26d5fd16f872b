// SPDX-License-Identifier: MIT
#include "driver/iopgtable/hypervisor_shared_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <thread>
#include <vector>

#include "base/ref.h"
#include "driver/iopgtable/accounting_allocator.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/epoch_allocator.h"
#include "driver/iopgtable/fault_injecting_allocator.h"
#include "driver/iopgtable/model_hypervisor.h"
#include "driver/iopgtable/page_table_allocator_conformance.h"

namespace pantry::driver {
namespace {

constexpr std::uint32_t kPages = 40;
using Counts = HypervisorSharedAllocator::Counts;

// What the allocator below has, the device must not see.
class Hidden final : public PageTableAllocator {
 public:
  Hidden(PageTableAllocator& below, const ModelHypervisor& hypervisor)
      : below_(below), hypervisor_(hypervisor) {}
  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override {
    const Result<PhysAddr> page = below_.alloc(bytes);
    if (page) {
      EXPECT_FALSE(hypervisor_.device_sees(*page));
    }
    return page;
  }
  void free(PhysAddr page, std::uint64_t bytes) noexcept override {
    EXPECT_FALSE(hypervisor_.device_sees(page)) << "given back too early";
    below_.free(page, bytes);
  }

 private:
  PageTableAllocator& below_;
  const ModelHypervisor& hypervisor_;
};

// And what a table has, it must.
class Seen final : public PageTableAllocator {
 public:
  Seen(PageTableAllocator& below, const ModelHypervisor& hypervisor)
      : below_(below), hypervisor_(hypervisor) {}
  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override {
    const Result<PhysAddr> page = below_.alloc(bytes);
    if (page) {
      EXPECT_TRUE(hypervisor_.device_sees(*page));
    }
    return page;
  }
  void free(PhysAddr page, std::uint64_t bytes) noexcept override {
    below_.free(page, bytes);
    EXPECT_TRUE(hypervisor_.device_sees(page)) << "the device may walk it until the flush";
  }

 private:
  PageTableAllocator& below_;
  const ModelHypervisor& hypervisor_;
};

class SharedHarness {
 public:
  static constexpr bool kAtOnce = true;
  ~SharedHarness() { EXPECT_EQ(hypervisor_.mistakes(), 0u); }
  PageTableAllocator& allocator() { return seen_; }
  const emu::Dram& dram() const { return memory_.dram(); }
  std::uint32_t capacity() const { return kPages; }
  void after_flush() {
    shared_.after_flush();
    arena_.after_flush();
  }

 protected:
  TestDram memory_{kPages * kPageSize};
  ArenaTableAllocator arena_{memory_.dram()};
  TableMetadata metadata_{memory_.dram()};
  ModelHypervisor hypervisor_;
  Hidden hidden_{arena_, hypervisor_};
  HypervisorSharedAllocator shared_{hidden_, hypervisor_, metadata_};
  Seen seen_{shared_, hypervisor_};
};

// Between decorators on either side.
class ComposedHarness {
 public:
  ~ComposedHarness() {
    EXPECT_EQ(above_.outstanding(), 0u);
    EXPECT_EQ(hypervisor_.mistakes(), 0u);
  }
  PageTableAllocator& allocator() { return above_; }
  const emu::Dram& dram() const { return memory_.dram(); }
  std::uint32_t capacity() const { return kPages; }
  void after_flush() {
    for (int i = 0; i < 2; ++i) epoch_.after_flush();
    shared_.after_flush();
    arena_.after_flush();
  }

 private:
  TestDram memory_{kPages * kPageSize};
  ArenaTableAllocator arena_{memory_.dram()};
  TableMetadata metadata_{memory_.dram()};
  ModelHypervisor hypervisor_;
  Epochs epochs_;
  FaultInjectingAllocator faults_{arena_, UINT64_MAX};
  HypervisorSharedAllocator shared_{faults_, hypervisor_, metadata_};
  EpochAllocator epoch_{shared_, metadata_, epochs_};
  AccountingAllocator above_{epoch_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Shared, PageTableAllocatorConformance, SharedHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(Composed, PageTableAllocatorConformance, ComposedHarness);

class HypervisorSharedAllocatorTest : public SharedHarness, public ::testing::Test {
 protected:
  PhysAddr alloc() { return seen_.alloc(kPageSize).value(); }
  void free(PhysAddr page) { seen_.free(page, kPageSize); }
};

TEST_F(HypervisorSharedAllocatorTest, SharesAndUnsharesInBatches) {
  std::vector<PhysAddr> pages;
  for (std::uint32_t i = 0; i < kPages; ++i) pages.push_back(alloc());
  EXPECT_EQ(hypervisor_.share_calls(), 3u) << "16, 16 and 8";
  for (const PhysAddr page : pages) free(page);
  EXPECT_EQ(hypervisor_.unshare_calls(), 0u);
  EXPECT_EQ(shared_.counts(), (Counts{.freed = kPages}));
  EXPECT_EQ(shared_.after_flush(), kPages);
  EXPECT_EQ(hypervisor_.unshare_calls(), 3u);
  EXPECT_EQ(hypervisor_.shared(), 0u);
}

TEST_F(HypervisorSharedAllocatorTest, WhatIsReadyNeedsNoCall) {
  ASSERT_TRUE(shared_.fill(20));
  EXPECT_EQ(shared_.counts().ready, 20u);
  const std::uint32_t calls = hypervisor_.share_calls();
  std::vector<PhysAddr> pages;
  for (int i = 0; i < 20; ++i) pages.push_back(alloc());
  EXPECT_EQ(hypervisor_.share_calls(), calls);
  EXPECT_EQ(shared_.fill(kPages).error(), Errno::kNoMem);
  for (const PhysAddr page : pages) free(page);
  after_flush();
}

// A section has a list for what dies in it.
TEST_F(HypervisorSharedAllocatorTest, InASectionTheHypervisorIsNotCalled) {
  ASSERT_TRUE(shared_.fill(1));
  const std::uint32_t calls = hypervisor_.share_calls();
  const std::uint32_t ready = shared_.counts().ready;
  std::vector<PhysAddr> pages;
  DeadList dead;
  {
    const DeadList::Scope section(dead);
    for (std::uint32_t i = 0; i < ready; ++i) pages.push_back(alloc());
    EXPECT_EQ(shared_.alloc(kPageSize).error(), Errno::kNoMem);
    EXPECT_EQ(hypervisor_.share_calls(), calls);
  }
  pages.push_back(alloc());
  EXPECT_EQ(hypervisor_.share_calls(), calls + 1);
  for (const PhysAddr page : pages) free(page);
  after_flush();
}

TEST_F(HypervisorSharedAllocatorTest, WhatIsNotSharedIsNotHandedOut) {
  hypervisor_.limit(5);
  std::vector<PhysAddr> pages;
  for (int i = 0; i < 5; ++i) pages.push_back(alloc());
  EXPECT_EQ(seen_.alloc(kPageSize).error(), Errno::kNoMem);
  arena_.after_flush();
  EXPECT_EQ(arena_.available(), kPages - 5) << "what it refused went back";
  for (const PhysAddr page : pages) free(page);
  after_flush();
  free(alloc());
  after_flush();
}

TEST_F(HypervisorSharedAllocatorTest, APageThatStaysSharedIsQuarantined) {
  std::vector<PhysAddr> pages;
  for (std::uint32_t i = 0; i < kPages; ++i) pages.push_back(alloc());
  const std::array kept = {pages[0], pages[7], pages[8], pages[kPages - 1]};
  for (const PhysAddr page : kept) hypervisor_.keep(page);
  for (const PhysAddr page : pages) free(page);
  EXPECT_EQ(shared_.after_flush(), kPages - kept.size());
  EXPECT_EQ(shared_.counts(), (Counts{.quarantined = kept.size()}));
  arena_.after_flush();
  for (int round = 0; round < 2; ++round) {
    pages.clear();
    for (std::uint32_t i = 0; i < kPages - kept.size(); ++i) pages.push_back(alloc());
    for (const PhysAddr page : kept) EXPECT_EQ(std::ranges::count(pages, page), 0);
    EXPECT_EQ(seen_.alloc(kPageSize).error(), Errno::kNoMem);
    for (const PhysAddr page : pages) free(page);
    after_flush();
  }
  EXPECT_EQ(shared_.counts(), (Counts{.quarantined = kept.size()}));
}

// Random edits of a real table, of which the device must see every page at any moment.
TEST_F(HypervisorSharedAllocatorTest, EveryPageOfATableIsSeen) {
  AccountingAllocator accounting(seen_);
  auto table = ArmLpaeS1Table::create({.va_bits = 48, .pa_bits = 40}, metadata_, accounting);
  ASSERT_TRUE(table);
  std::mt19937_64 random(5);
  std::uint32_t refused = 0;
  for (int step = 0; step < 3000; ++step) {
    const GpuRange where = GpuRange::of_size({random() % 64 * 2 * kMiB}, kPageSize);
    const std::array<PhysExtent, 1> extents{{{{0x9000'0000}, kPageSize}}};
    if (random() % 2 == 0)
      refused += table->map(where, ExtentCursor(extents, 0), Prot::kNone, accounting).error ==
                 Errno::kNoMem;
    else
      EXPECT_TRUE(table->unmap(where, accounting));
    const Counts counts = shared_.counts();
    ASSERT_EQ(counts.out, accounting.outstanding());
    ASSERT_EQ(hypervisor_.shared(), counts.out + counts.ready + counts.freed);
    if (random() % 4 == 0) after_flush();
  }
  EXPECT_GT(refused, 0u) << "the memory is too large for this test to be hard";
  table->destroy(accounting);
  after_flush();
  EXPECT_EQ(accounting.outstanding(), 0u);
}

TEST_F(HypervisorSharedAllocatorTest, ManyThreads) {
  const auto churn = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<PhysAddr> held;
    for (int step = 0; step < 2000; ++step) {
      if (random() % 2 == 0) {
        if (const Result<PhysAddr> page = shared_.alloc(kPageSize)) held.push_back(*page);
      } else if (!held.empty()) {
        shared_.free(held.back(), kPageSize);
        held.pop_back();
      }
      if (random() % 8 == 0) after_flush();
    }
    for (const PhysAddr page : held) shared_.free(page, kPageSize);
  };
  std::thread other(churn, 1);
  churn(2);
  other.join();
  after_flush();
  EXPECT_EQ(shared_.counts().out, 0u);
  EXPECT_EQ(hypervisor_.shared(), shared_.counts().ready);
}

}  // namespace
}  // namespace pantry::driver
