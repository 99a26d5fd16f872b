// SPDX-License-Identifier: MIT
#include "driver/iopgtable/radix_table.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "driver/iopgtable/accounting_allocator.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/fault_injecting_allocator.h"
#include "driver/iopgtable/raw_table.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr TableConfig kPanthor{48, 40, kPageSize | kBlock};
constexpr TableConfig kWithGiB{48, 40, kPageSize | kBlock | kGiB};

GpuRange range(std::uint64_t first, std::uint64_t size) { return GpuRange::of_size({first}, size); }

class RadixTableTest : public ::testing::Test {
 protected:
  ~RadixTableTest() override {
    if (table_) table_->destroy(accounting_);
    table_.reset();
    EXPECT_EQ(accounting_.outstanding(), 0u);
  }
  void make(const TableConfig& config) {
    Result<ArmLpaeS1Table> made = ArmLpaeS1Table::create(config, metadata_, accounting_);
    ASSERT_TRUE(made.has_value());
    table_.emplace(*std::move(made));
  }
  MapProgress map(GpuRange where, std::uint64_t frame, Prot prot) {
    const std::array<PhysExtent, 1> extents{{{{frame}, where.size()}}};
    return table_->map(where, ExtentCursor(extents, 0), prot, accounting_);
  }
  RawTable raw() const { return {memory_.dram(), table_->root(), 4 - table_->config().levels()}; }
  std::uint64_t entry_at(std::uint64_t va) const {
    const auto leaf = raw().find(va);
    return leaf ? leaf->entry : 0;
  }
  std::uint64_t size_at(std::uint64_t va) const {
    const auto leaf = raw().find(va);
    return leaf ? leaf->size : 0;
  }
  std::array<std::uint32_t, 4> tables() const {
    const auto levels = table_->tables_by_level();
    return {levels[0], levels[1], levels[2], levels[3]};
  }
  using Tables = std::array<std::uint32_t, 4>;

  TestDram memory_{4 * kMiB};
  ArenaTableAllocator arena_{memory_.dram()};
  FaultInjectingAllocator faults_{arena_, UINT64_MAX};
  AccountingAllocator accounting_{faults_};
  TableMetadata metadata_{memory_.dram()};
  std::optional<ArmLpaeS1Table> table_;
};

// The words that the real driver writes. [C3.5]
TEST_F(RadixTableTest, GoldenLeaves) {
  make(kPanthor);
  ASSERT_FALSE(map(range(0x1000, 0x1000), 0x1'2345'6000, Prot::kNone).error);
  ASSERT_FALSE(map(range(0x2000, 0x1000), 0x1'2345'6000, Prot::kReadOnly).error);
  ASSERT_FALSE(map(range(0x3000, 0x1000), 0x1'2345'6000, Prot::kUncached).error);
  ASSERT_FALSE(map(range(0x4000, 0x1000), 0x1'2345'6000, Prot::kNoExec).error);
  ASSERT_FALSE(
      map(range(0x5000, 0x1000), 0x1'2345'6000, Prot::kReadOnly | Prot::kNoExec | Prot::kUncached)
          .error);
  ASSERT_FALSE(map(range(kBlock, kBlock), 0x40'0000, Prot::kNone).error);
  EXPECT_EQ(entry_at(0x1000), 0x1'2345'6f47u);
  EXPECT_EQ(entry_at(0x2000), 0x1'2345'6fc7u);
  EXPECT_EQ(entry_at(0x3000), 0x1'2345'6e43u);
  EXPECT_EQ(entry_at(0x4000), 0x0060'0001'2345'6f47u);
  EXPECT_EQ(entry_at(0x5000), 0x0060'0001'2345'6ec3u);
  EXPECT_EQ(entry_at(kBlock), 0x40'0f45u);
}

TEST_F(RadixTableTest, GoldenTableDescriptors) {
  make(kPanthor);
  ASSERT_FALSE(map(range(0x1000, 0x1000), 0x1'2345'6000, Prot::kNone).error);
  const auto* root =
      static_cast<const std::uint64_t*>(memory_.dram().at(table_->root(), kPageSize));
  const PhysAddr below{root[0] - 3};
  EXPECT_EQ(root[0] & 0xfff, 3u);
  EXPECT_EQ(root[0] >> 48, 0u);
  EXPECT_NE(memory_.dram().at(below, kPageSize), nullptr);
  EXPECT_EQ(root[1], 0u);
}

TEST_F(RadixTableTest, UsesABlockOnlyWhereAddressFrameAndSizeAllow) {
  make(kPanthor);
  // Congruent: one page, one block, one page.
  ASSERT_FALSE(
      map(range(kBlock - kPageSize, kBlock + 2 * kPageSize), 4 * kBlock - kPageSize, Prot::kNone)
          .error);
  EXPECT_EQ(size_at(kBlock - kPageSize), kPageSize);
  EXPECT_EQ(size_at(kBlock), kBlock);
  EXPECT_EQ(size_at(2 * kBlock), kPageSize);
  // The frame is off by a page: 512 leaves.
  ASSERT_FALSE(map(range(8 * kBlock, kBlock), 8 * kBlock + kPageSize, Prot::kNone).error);
  EXPECT_EQ(size_at(8 * kBlock), kPageSize);
  EXPECT_EQ(size_at(9 * kBlock - 1), kPageSize);
  // Aligned, but physically in two pieces.
  const std::array<PhysExtent, 2> halves{{{{16 * kBlock}, kMiB}, {{32 * kBlock + kMiB}, kMiB}}};
  ASSERT_FALSE(
      table_->map(range(16 * kBlock, kBlock), ExtentCursor(halves, 0), Prot::kNone, accounting_)
          .error);
  EXPECT_EQ(size_at(16 * kBlock), kPageSize);
  EXPECT_EQ(raw().find(16 * kBlock + kMiB)->frame(), 32 * kBlock + kMiB);
}

TEST_F(RadixTableTest, AGiBIsOneLeafOnlyIfTheConfigurationSaysSo) {
  make(kPanthor);
  ASSERT_FALSE(map(range(kGiB, kGiB), 4 * kGiB, Prot::kNone).error);
  EXPECT_EQ(size_at(kGiB), kBlock);
  EXPECT_EQ(tables(), (Tables{1, 1, 1, 0}));
  table_->destroy(accounting_);
  make(kWithGiB);
  ASSERT_FALSE(map(range(kGiB, kGiB), 4 * kGiB, Prot::kNone).error);
  EXPECT_EQ(size_at(kGiB), kGiB);
  EXPECT_EQ(entry_at(kGiB), 4 * kGiB + 0xf45);
  EXPECT_EQ(tables(), (Tables{1, 1, 0, 0}));
}

TEST_F(RadixTableTest, UnmappingPartOfABlockSplitsIt) {
  make(kPanthor);
  ASSERT_FALSE(map(range(kBlock, kBlock), 4 * kBlock, Prot::kNoExec).error);
  const std::uint64_t before = accounting_.allocations();
  EXPECT_EQ(table_->footprint(range(kBlock + 0x3000, 0x1000)), range(kBlock, kBlock));
  EXPECT_EQ(table_->unmap(range(kBlock + 0x3000, 0x1000), accounting_), 0x1000u);
  EXPECT_EQ(accounting_.allocations() - before, 1u) << "both edges share a block";
  EXPECT_FALSE(raw().find(kBlock + 0x3000));
  for (std::uint64_t at = 0; at < kBlock; at += kPageSize) {
    if (at == 0x3000) continue;
    ASSERT_EQ(entry_at(kBlock + at), (0x0060'0000'0000'0f47u | (4 * kBlock + at)));
  }
  EXPECT_EQ(table_->footprint(range(kBlock + 0x3000, 0x1000)), range(kBlock + 0x3000, 0x1000));
}

TEST_F(RadixTableTest, UnmappingTheMiddleOfAGiBSplitsItTwice) {
  make(kWithGiB);
  ASSERT_FALSE(map(range(kGiB, kGiB), 4 * kGiB, Prot::kNone).error);
  EXPECT_EQ(table_->footprint(range(kGiB + kBlock, kPageSize)), range(kGiB, kGiB));
  const std::uint64_t before = accounting_.allocations();
  // From inside one block to inside another: the GiB becomes 512 blocks, of which two become 512
  // pages each.
  EXPECT_EQ(table_->unmap(range(kGiB + kBlock + kPageSize, 3 * kBlock), accounting_), 3 * kBlock);
  EXPECT_EQ(accounting_.allocations() - before, 3u);
  EXPECT_EQ(size_at(kGiB), kBlock);
  EXPECT_EQ(entry_at(kGiB + kBlock), 4 * kGiB + kBlock + 0xf47);
  EXPECT_FALSE(raw().find(kGiB + kBlock + kPageSize));
  EXPECT_FALSE(raw().find(kGiB + 4 * kBlock));
  EXPECT_EQ(entry_at(kGiB + 4 * kBlock + kPageSize), 4 * kGiB + 4 * kBlock + kPageSize + 0xf47);
  EXPECT_EQ(size_at(kGiB + 5 * kBlock), kBlock);
  EXPECT_EQ(entry_at(2 * kGiB - kBlock), 5 * kGiB - kBlock + 0xf45);
  // On block edges no page table is needed for the second split.
  EXPECT_EQ(table_->unmap(range(2 * kGiB - kBlock, kBlock), accounting_), kBlock);
  EXPECT_EQ(accounting_.allocations() - before, 3u);
}

TEST_F(RadixTableTest, TheLastAddressesOfTheSpace) {
  make(kPanthor);
  const std::uint64_t top = std::uint64_t{1} << 48;
  ASSERT_FALSE(
      map(range(top - kBlock - kPageSize, kBlock + kPageSize), 4 * kBlock - kPageSize, Prot::kNone)
          .error);
  EXPECT_EQ(size_at(top - 1), kBlock);
  EXPECT_EQ(table_->unmap(range(top - kPageSize, kPageSize), accounting_), kPageSize);
  EXPECT_FALSE(raw().find(top - 1));
  EXPECT_EQ(entry_at(top - 2 * kPageSize), 5 * kBlock - 2 * kPageSize + 0xf47);
  EXPECT_EQ(table_->unmap(table_->space(), accounting_), kBlock);
  EXPECT_EQ(tables(), (Tables{1, 0, 0, 0}));
}

TEST_F(RadixTableTest, EveryTableThatBecomesEmptyIsFreed) {
  make(kPanthor);
  const std::uint64_t border = 512 * kGiB;
  // Two pages in different tables at every level but the root.
  ASSERT_FALSE(map(range(border - kPageSize, 2 * kPageSize), 0, Prot::kNone).error);
  EXPECT_EQ(tables(), (Tables{1, 2, 2, 2}));
  EXPECT_EQ(table_->unmap(range(border, kPageSize), accounting_), kPageSize);
  EXPECT_EQ(tables(), (Tables{1, 1, 1, 1}));
  EXPECT_EQ(accounting_.frees(), 3u);
  EXPECT_EQ(table_->unmap(range(border - kPageSize, kPageSize), accounting_), kPageSize);
  EXPECT_EQ(tables(), (Tables{1, 0, 0, 0}));
  EXPECT_EQ(accounting_.outstanding(), 1u);
}

// shared-{pte,pde,pde2,pde3}-page: two mappings with a common table at each level; unmapping one
// leaves the other.
TEST_F(RadixTableTest, NeighboursShareTablesAtEachLevel) {
  for (const std::uint64_t distance : {kPageSize, kBlock, kGiB, 512 * kGiB}) {
    make(kPanthor);
    const std::uint64_t a = 0;
    const std::uint64_t b = distance;
    ASSERT_FALSE(map(range(a, kPageSize), 0x1000'0000, Prot::kNone).error);
    ASSERT_FALSE(map(range(b, kPageSize), 0x2000'0000, Prot::kNone).error);
    EXPECT_EQ(table_->unmap(range(a, kPageSize), accounting_), kPageSize);
    EXPECT_FALSE(raw().find(a));
    EXPECT_EQ(entry_at(b), 0x2000'0f47u);
    EXPECT_EQ(tables(), (Tables{1, 1, 1, 1}));
    table_->destroy(accounting_);
  }
  table_.reset();
}

TEST_F(RadixTableTest, ARangeThatIsMappedAgainKeepsItsTables) {
  make(kPanthor);
  ASSERT_FALSE(map(range(0x1000, 0x4000), 0x10000, Prot::kNone).error);
  const std::uint64_t before = accounting_.allocations();
  EXPECT_EQ(table_->clear(range(0, 0x10000), accounting_), 0x4000u);
  EXPECT_FALSE(raw().find(0x1000));
  EXPECT_EQ(raw().read_all().empty_tables, 1u);
  ASSERT_FALSE(map(range(0, 0x10000), 0x40000, Prot::kNone).error);
  EXPECT_EQ(entry_at(0x1000), 0x41f47u);
  EXPECT_EQ(accounting_.allocations(), before);
  // A block takes the place of the table.
  EXPECT_EQ(table_->clear(range(0, kBlock), accounting_), 0x10000u);
  ASSERT_FALSE(map(range(0, kBlock), 4 * kBlock, Prot::kNone).error);
  EXPECT_EQ(size_at(0), kBlock);
  EXPECT_EQ(accounting_.allocations(), before);
  EXPECT_EQ(tables(), (Tables{1, 1, 1, 0}));
}

TEST_F(RadixTableTest, ATableWithReferencesStays) {
  make(kPanthor);
  using Standing = ArmLpaeS1Table::Standing;
  const TableWindow pages = TableWindow::around({kGiB}, 0);
  for (std::uint32_t height = 3; height-- > 0;) {
    const TableWindow window = TableWindow::around({kGiB}, height);
    EXPECT_EQ(table_->standing(window), Standing::kNothing);
    ASSERT_TRUE(table_->install(window, accounting_));
    EXPECT_EQ(table_->standing(window), Standing::kTable);
  }
  EXPECT_EQ(tables(), (Tables{1, 1, 1, 1}));
  table_->prune(table_->space(), accounting_);
  EXPECT_EQ(tables(), (Tables{1, 1, 1, 1}));
  // Pages where a block could be, since the table is wanted; a block beside it.
  ASSERT_FALSE(map(range(kGiB, 2 * kBlock), 4 * kBlock, Prot::kNone).error);
  EXPECT_EQ(size_at(kGiB), kPageSize);
  EXPECT_EQ(size_at(kGiB + kBlock), kBlock);
  EXPECT_EQ(table_->standing(TableWindow::around({kGiB + kBlock}, 0)), Standing::kLeaf);
  EXPECT_EQ(table_->unmap(table_->space(), accounting_), 2 * kBlock);
  EXPECT_EQ(tables(), (Tables{1, 1, 1, 1}));
  // Only the lowest is let go, twice referenced; then it is a place for a block.
  table_->reference(pages);
  table_->unreference(pages);
  table_->prune(table_->space(), accounting_);
  EXPECT_EQ(tables(), (Tables{1, 1, 1, 1}));
  table_->unreference(pages);
  ASSERT_FALSE(map(range(kGiB, kBlock), 4 * kBlock, Prot::kNone).error);
  EXPECT_EQ(size_at(kGiB), kBlock);
  EXPECT_EQ(tables(), (Tables{1, 1, 1, 0}));
  EXPECT_EQ(table_->unmap(table_->space(), accounting_), kBlock);
  for (const std::uint32_t height : {1, 2})
    table_->unreference(TableWindow::around({kGiB}, height));
  table_->prune(range(kGiB, kPageSize), accounting_);
  EXPECT_EQ(tables(), (Tables{1, 0, 0, 0}));
}

TEST_F(RadixTableTest, ATableWithReferencesIsNotCoalesced) {
  make(kPanthor);
  ASSERT_FALSE(map(range(kBlock, kPageSize), 4 * kBlock, Prot::kNone).error);
  ASSERT_FALSE(
      map(range(kBlock + kPageSize, kBlock - kPageSize), 4 * kBlock + kPageSize, Prot::kNone)
          .error);
  const TableWindow window = TableWindow::around({kBlock}, 0);
  table_->reference(window);
  EXPECT_EQ(table_->coalesce(table_->space(), accounting_), 0u);
  EXPECT_EQ(size_at(kBlock), kPageSize);
  table_->unreference(window);
  EXPECT_EQ(table_->coalesce(table_->space(), accounting_), 1u);
  EXPECT_EQ(size_at(kBlock), kBlock);
}

TEST_F(RadixTableTest, MappingOverSomethingChangesNothing) {
  make(kPanthor);
  ASSERT_FALSE(map(range(kBlock, kBlock), 4 * kBlock, Prot::kNone).error);
  ASSERT_FALSE(map(range(kGiB - kPageSize, kPageSize), 0x5000, Prot::kNone).error);
  const std::uint64_t before = accounting_.allocations();
  EXPECT_EQ(map(range(0, kGiB), kGiB, Prot::kNone).error, Errno::kExist);
  EXPECT_EQ(map(range(2 * kBlock - kPageSize, 2 * kPageSize), kGiB, Prot::kNone).error,
            Errno::kExist);
  EXPECT_EQ(map(range(2 * kBlock, kGiB), kGiB, Prot::kNone).error, Errno::kExist);
  EXPECT_EQ(map(range(kGiB - kPageSize, kPageSize), 0x5000, Prot::kNone).error, Errno::kExist);
  EXPECT_EQ(accounting_.allocations(), before);
  EXPECT_FALSE(raw().find(0));
  EXPECT_FALSE(raw().find(2 * kBlock));
  EXPECT_EQ(entry_at(kBlock), 4 * kBlock + 0xf45);
  EXPECT_FALSE(map(range(0, kBlock), 8 * kBlock, Prot::kNone).error);
}

// Each allocation fails once: what is mapped is said, can be taken back without a page, and leaves
// no trace.
TEST_F(RadixTableTest, AMapThatRunsOutSaysHowFarItCame) {
  make(kPanthor);
  const GpuRange where = range(kGiB - 2 * kPageSize, 2 * kBlock);
  std::uint64_t needed = 0;
  for (;; ++needed) {
    faults_.allow(needed);
    const MapProgress progress = map(where, 0x1000, Prot::kNone);
    if (!progress.error) break;
    EXPECT_EQ(*progress.error, Errno::kNoMem);
    EXPECT_EQ(progress.mapped, needed < 3   ? 0
                               : needed < 5 ? 2 * kPageSize
                                            : 2 * kPageSize + kBlock)
        << needed;
    faults_.allow(0);
    if (progress.mapped != 0) {
      EXPECT_EQ(table_->unmap(range(where.first.value, progress.mapped), accounting_),
                progress.mapped);
    }
    EXPECT_EQ(tables(), (Tables{1, 0, 0, 0}));
    EXPECT_EQ(accounting_.outstanding(), 1u);
  }
  EXPECT_EQ(needed, 1u + 2u + 3u) << "one at 512 GiB, two at 1 GiB, three at 2 MiB";
}

TEST_F(RadixTableTest, AnUnmapWithoutAPageForTheSplitUnmapsNothing) {
  make(kPanthor);
  ASSERT_FALSE(map(range(kBlock, 2 * kBlock), 4 * kBlock, Prot::kNone).error);
  for (const std::uint64_t allowed : {0, 1}) {
    faults_.allow(allowed);
    EXPECT_EQ(table_->unmap(range(kBlock + kPageSize, kBlock), accounting_),
              Result<std::uint64_t>(Error(Errno::kNoMem)));
    for (std::uint64_t at = 0; at < 2 * kBlock; at += kPageSize)
      ASSERT_EQ(raw().find(kBlock + at)->frame() +
                    (raw().find(kBlock + at)->size == kBlock ? at % kBlock : 0),
                4 * kBlock + at);
  }
  faults_.allow(1);  // the other edge was split above
  EXPECT_EQ(table_->unmap(range(kBlock + kPageSize, kBlock), accounting_), kBlock);
}

TEST_F(RadixTableTest, UnmappingHolesIsASuccess) {
  make(kPanthor);
  EXPECT_EQ(table_->unmap(range(0, kGiB), accounting_), 0u);
  ASSERT_FALSE(map(range(0x1000, 0x1000), 0, Prot::kNone).error);
  ASSERT_FALSE(map(range(0x3000, 0x1000), 0, Prot::kNone).error);
  EXPECT_EQ(table_->unmap(range(0, kGiB), accounting_), 0x2000u);
}

TEST_F(RadixTableTest, RefusesWhatTheFormatDoesNotKnow) {
  const TableConfig refused[] = {
      {49, 40, kPageSize | kBlock},
      {24, 40, kPageSize},
      {48, 41, kPageSize},
      {48, 40, kBlock},
      {48, 40, kPageSize | kGiB},
      {48, 40, kPageSize | 64 * kKiB},
      {48, 40, 0},
  };
  for (const TableConfig& config : refused) {
    const Result<ArmLpaeS1Table> made = ArmLpaeS1Table::create(config, metadata_, accounting_);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error(), Errno::kInval);
  }
  EXPECT_EQ(accounting_.allocations(), 0u);
  faults_.allow(0);
  EXPECT_EQ(ArmLpaeS1Table::create(kPanthor, metadata_, accounting_).error(), Errno::kNoMem);
}

using RadixTableDeathTest = RadixTableTest;

TEST_F(RadixTableDeathTest, BugsOfTheCallerAbort) {
  make({39, 36, kPageSize});
  EXPECT_DEATH(map(range(std::uint64_t{1} << 39, kPageSize), 0, Prot::kNone), "CHECK");
  EXPECT_DEATH(map(range(0x800, kPageSize), 0, Prot::kNone), "CHECK");
  EXPECT_DEATH(map(range(0, kPageSize), std::uint64_t{1} << 36, Prot::kNone), "CHECK");
  EXPECT_DEATH(map(range(0, kPageSize), 0x800, Prot::kNone), "CHECK");
  const std::array<PhysExtent, 1> short_buffer{{{{0}, kPageSize}}};
  EXPECT_DEATH(
      table_->map(range(0, 2 * kPageSize), ExtentCursor(short_buffer, 0), Prot::kNone, accounting_),
      "CHECK");
}

}  // namespace
}  // namespace pantry::driver
