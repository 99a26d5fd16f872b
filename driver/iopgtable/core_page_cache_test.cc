// SPDX-License-Identifier: MIT
#include "driver/iopgtable/core_page_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "driver/iopgtable/accounting_allocator.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/page_table_allocator_conformance.h"

namespace pantry::driver {
namespace {

constexpr std::uint32_t kPages = 16;

// `Kept` of the pages may stay in the cache. `Source`: what stands between it and the arena.
template <std::uint32_t Kept, class Source = AccountingAllocator>
class CacheHarness {
 public:
  PageTableAllocator& allocator() { return cache_; }
  const emu::Dram& dram() const { return memory_.dram(); }
  std::uint32_t capacity() const { return kPages; }
  void after_flush() {
    cache_.after_flush();
    arena_.after_flush();
  }

 protected:
  TestDram memory_{kPages * kPageSize};
  TableMetadata metadata_{memory_.dram()};
  ArenaTableAllocator arena_{memory_.dram()};
  Source source_{arena_};
  CorePageCache cache_{source_, metadata_, Kept};
};
INSTANTIATE_TYPED_TEST_SUITE_P(CacheOfNothing, PageTableAllocatorConformance, CacheHarness<0>);
INSTANTIATE_TYPED_TEST_SUITE_P(CacheOfSome, PageTableAllocatorConformance, CacheHarness<5>);
INSTANTIATE_TYPED_TEST_SUITE_P(CacheOfAll, PageTableAllocatorConformance, CacheHarness<kPages>);

// One cache for several tables, without an AccountingAllocator, which is for one at a time.
class ManyTablesHarness : public CacheHarness<5, PageTableAllocator&> {
 public:
  static constexpr bool kAtOnce = true;
};
INSTANTIATE_TYPED_TEST_SUITE_P(CacheOfManyTables, PageTableAllocatorConformance, ManyTablesHarness);

class CorePageCacheTest : public CacheHarness<5>, public ::testing::Test {};

TEST_F(CorePageCacheTest, KeepsSoManyAndGivesTheRestBack) {
  std::vector<PhysAddr> pages;
  for (int i = 0; i < 8; ++i) pages.push_back(*cache_.alloc(kPageSize));
  for (const PhysAddr page : pages) cache_.free(page, kPageSize);
  EXPECT_EQ(cache_.kept(), 0u) << "not before the flush";
  after_flush();
  EXPECT_EQ(cache_.kept(), 5u);
  EXPECT_EQ(source_.frees(), 3u);
  for (int i = 0; i < 5; ++i) cache_.free(*cache_.alloc(kPageSize), kPageSize);
  EXPECT_EQ(source_.allocations(), 8u) << "the source is not asked";
  after_flush();
}

// What is logged at the level of errors while `act` runs.
template <class Act>
std::string logged(Act act) {
  const std::string path = ::testing::TempDir() + "core_page_cache.log";
  std::ofstream(path, std::ios::trunc).close();
  EXPECT_TRUE(set_log_file(path.c_str()));
  act();
  EXPECT_TRUE(set_log_file("/dev/stderr"));
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class TablePagesTest : public ::testing::Test {
 protected:
  // Maps and unmaps one page so many times; each needs three tables below the root.
  void use(TablePages& pages, int rounds) {
    auto table =
        ArmLpaeS1Table::create({.va_bits = 48, .pa_bits = 40}, metadata_, pages.allocator());
    ASSERT_TRUE(table);
    const GpuRange where = GpuRange::of_size({0x7000'0000}, kPageSize);
    const std::array<PhysExtent, 1> extents{{{{0x9000'0000}, kPageSize}}};
    for (int i = 0; i < rounds; ++i) {
      EXPECT_FALSE(
          table->map(where, ExtentCursor(extents, 0), Prot::kNone, pages.allocator()).error);
      EXPECT_TRUE(table->unmap(where, pages.allocator()));
      flush(pages);
    }
    table->destroy(pages.allocator());
    flush(pages);
  }
  void flush(TablePages& pages) {
    pages.after_flush();
    core_arena_.after_flush();
    custom_arena_.after_flush();
  }

  TestDram memory_{2 * kPages * kPageSize};
  TableMetadata metadata_{memory_.dram()};
  ArenaTableAllocator core_arena_{{memory_.dram().base, kPages* kPageSize, memory_.dram().host}};
  ArenaTableAllocator custom_arena_{{memory_.dram().base + kPages * kPageSize, kPages* kPageSize,
                                     memory_.dram().host + kPages* kPageSize}};
  AccountingAllocator core_{core_arena_};
  AccountingAllocator custom_{custom_arena_};
};

TEST_F(TablePagesTest, WithoutACustomAllocatorTheCacheIsUsed) {
  EXPECT_EQ(logged([&] {
              TablePages pages(core_, nullptr, metadata_, 8);
              ASSERT_NE(pages.cache(), nullptr);
              use(pages, 10);
              EXPECT_EQ(core_.allocations(), 4u) << "the first round's";
              EXPECT_EQ(pages.cache()->kept(), 4u);
            }),
            "");
  EXPECT_EQ(core_.outstanding(), 0u);
}

TEST_F(TablePagesTest, ACustomAllocatorSwitchesItOffWithOneWarning) {
  const std::string text = logged([&] {
    TablePages pages(core_, &custom_, metadata_, 8);
    EXPECT_EQ(pages.cache(), nullptr);
    use(pages, 10);
  });
  EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
  EXPECT_NE(text.find("switched off"), std::string::npos) << text;
  EXPECT_EQ(core_.allocations(), 0u);
  EXPECT_EQ(custom_.allocations(), 31u) << "the root, and three tables in each round";
  EXPECT_EQ(custom_.outstanding(), 0u);
}

TEST_F(TablePagesTest, WhoAsksForNoCacheIsNotWarned) {
  EXPECT_EQ(logged([&] {
              TablePages pages(core_, &custom_, metadata_, 0);
              use(pages, 1);
            }),
            "");
  TablePages plain(core_, nullptr, metadata_, 0);
  EXPECT_EQ(plain.cache(), nullptr);
  EXPECT_EQ(&plain.allocator(), &core_);
}

}  // namespace
}  // namespace pantry::driver
