// SPDX-License-Identifier: MIT
//
// What changes leaves that are there: permissions, runs, re-forming, dirty state. Entries are read
// out of DRAM, with expectations from the architectures' manuals.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "driver/iopgtable/accounting_allocator.h"
#include "driver/iopgtable/amd_v1_table.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/arm_lpae_s2_table.h"
#include "driver/iopgtable/fault_injecting_allocator.h"
#include "driver/iopgtable/mali_lpae_table.h"
#include "driver/iopgtable/raw_table.h"
#include "driver/iopgtable/x86_64_table.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr std::uint64_t kRun = 64 * kKiB;
constexpr std::uint64_t kContiguous = std::uint64_t{1} << 52;

GpuRange range(std::uint64_t first, std::uint64_t size) { return GpuRange::of_size({first}, size); }

// A table of any format in DRAM of its own.
template <class Table>
class Rig {
 public:
  explicit Rig(const TableConfig& config)
      : table_(*Table::create(config, metadata_, accounting_)) {}
  ~Rig() {
    table_.destroy(accounting_);
    EXPECT_EQ(accounting_.outstanding(), 0u);
  }
  void map(std::uint64_t va, std::uint64_t size, std::uint64_t frame, Prot prot = Prot::kNone) {
    const std::array<PhysExtent, 1> extents{{{{frame}, size}}};
    ASSERT_FALSE(table_.map(range(va, size), ExtentCursor(extents, 0), prot, accounting_).error);
  }
  std::uint64_t unmap(std::uint64_t va, std::uint64_t size) {
    return table_.unmap(range(va, size), accounting_).value_or(0);
  }
  std::uint64_t protect(std::uint64_t va, std::uint64_t size, Prot prot) {
    return table_.protect(range(va, size), prot, accounting_).value_or(0);
  }
  std::uint32_t coalesce(std::uint64_t va, std::uint64_t size) {
    return table_.coalesce(range(va, size), accounting_);
  }
  std::vector<Leaf> leaves() const {
    std::vector<Leaf> leaves;
    table_.for_each_leaf(table_.space(), [&](const Leaf& leaf) { leaves.push_back(leaf); });
    return leaves;
  }
  // How many leaves there are of each size.
  std::map<std::uint64_t, int> sizes() const {
    std::map<std::uint64_t, int> sizes;
    for (const Leaf& leaf : leaves()) ++sizes[leaf.range.size()];
    return sizes;
  }
  std::vector<GpuRange> dirty(GpuRange where, DirtyAction action) {
    std::vector<GpuRange> dirty;
    table_.for_each_dirty(where, action, [&](GpuRange leaf) { dirty.push_back(leaf); });
    return dirty;
  }
  // The entry at `level` of the four on the way to `va`, counted from the leaves, as long as
  // `address_mask` finds the tables.
  std::uint64_t& entry(std::uint64_t va, unsigned height, std::uint64_t address_mask) {
    std::uint64_t table = table_.root().value;
    for (unsigned at = 3;; --at) {
      auto* entries = static_cast<std::uint64_t*>(memory_.dram().at({table}, kPageSize));
      std::uint64_t& entry = entries[va >> (12 + 9 * at) & 511];
      if (at == height) return entry;
      table = entry & address_mask;
    }
  }

  TestDram memory_{8 * kMiB};
  ArenaTableAllocator arena_{memory_.dram()};
  FaultInjectingAllocator faults_{arena_, UINT64_MAX};
  AccountingAllocator accounting_{faults_};
  TableMetadata metadata_{memory_.dram()};
  Table table_;
};

class ArmRig : public Rig<ArmLpaeS1Table> {
 public:
  using Rig::Rig;
  std::uint64_t at(std::uint64_t va) const {
    const auto leaf = RawTable(memory_.dram(), table_.root(), 0).find(va);
    return leaf ? leaf->entry : 0;
  }
  // Which leaves of the GiB at 0 carry the hint, as addresses.
  std::set<std::uint64_t> hinted() const {
    std::set<std::uint64_t> hinted;
    for (const RawLeaf& leaf : RawTable(memory_.dram(), table_.root(), 0).read_all().leaves)
      if (leaf.entry & kContiguous) hinted.insert(leaf.va);
    return hinted;
  }
};

constexpr TableConfig kPlain{48, 40, kPageSize | kBlock | kGiB};
constexpr TableConfig kHinted{
    48, 40, kPageSize | kBlock | kGiB, 1, DirtyTracking::kNone, ContiguousHint::kWherePossible};
constexpr TableConfig kTracked{48, 40, kPageSize | kBlock | kGiB, 1, DirtyTracking::kHardware};

TEST(Protect, ChangesPermissionsInPlace) {
  ArmRig rig(kPlain);
  rig.map(0, 8 * kPageSize, 0x10'0000);
  EXPECT_EQ(rig.protect(2 * kPageSize, 3 * kPageSize, Prot::kReadOnly | Prot::kNoExec),
            3 * kPageSize);
  for (std::uint64_t page = 0; page < 8; ++page) {
    const std::uint64_t frame = 0x10'0000 + page * kPageSize;
    EXPECT_EQ(rig.at(page * kPageSize),
              page >= 2 && page < 5 ? frame | 0x0060'0000'0000'0fc7 : frame | 0xf47);
  }
  EXPECT_EQ(rig.protect(0, kGiB, Prot::kUncached), 8 * kPageSize);
  EXPECT_EQ(rig.at(3 * kPageSize), 0x10'3e43u);
}

TEST(Protect, SplitsBlocksAtTheEdgesOnly) {
  ArmRig rig(kPlain);
  rig.map(0, 2 * kGiB, 0);
  const std::uint64_t first = kGiB - kBlock - kPageSize;
  EXPECT_EQ(rig.table_.footprint(range(first, kBlock + 2 * kPageSize)), range(0, 2 * kGiB));
  EXPECT_EQ(rig.protect(first, kBlock + 2 * kPageSize, Prot::kReadOnly), kBlock + 2 * kPageSize);
  // Below the GiB: 510 blocks, a split one, a block of which nothing sticks out. Above: a split
  // one, 511 blocks.
  EXPECT_EQ(rig.sizes(), (std::map<std::uint64_t, int>{{kPageSize, 1024}, {kBlock, 1022}}));
  for (const Leaf& leaf : rig.leaves()) {
    const bool inside =
        leaf.range.first.value >= first && leaf.range.last.value < first + kBlock + 2 * kPageSize;
    EXPECT_EQ(leaf.prot, inside ? Prot::kReadOnly : Prot::kNone);
    EXPECT_EQ(leaf.frame.value, leaf.range.first.value);
  }
}

TEST(Protect, WithoutAPageForASplitNothingChanges) {
  ArmRig rig(kPlain);
  rig.map(0, 2 * kBlock, 0);
  rig.faults_.allow(1);
  EXPECT_EQ(rig.table_.protect(range(kPageSize, 2 * kBlock - 2 * kPageSize), Prot::kReadOnly,
                               rig.accounting_),
            Result<std::uint64_t>(Error(Errno::kNoMem)));
  for (const Leaf& leaf : rig.leaves()) {
    EXPECT_EQ(leaf.prot, Prot::kNone);
    EXPECT_EQ(leaf.frame.value, leaf.range.first.value);
  }
}

TEST(Protect, OfHolesIsASuccess) {
  ArmRig rig(kPlain);
  EXPECT_EQ(rig.table_.protect(rig.table_.space(), Prot::kReadOnly, rig.accounting_), 0u);
}

TEST(ContiguousHint, IsOnWholeAlignedRuns) {
  ArmRig rig(kHinted);
  // Pages 3 to 50: the runs are 16 to 31 and 32 to 47.
  rig.map(3 * kPageSize, 48 * kPageSize, 0x100'3000);
  std::set<std::uint64_t> expected;
  for (std::uint64_t page = 16; page < 48; ++page) expected.insert(page * kPageSize);
  EXPECT_EQ(rig.hinted(), expected);
  EXPECT_EQ(rig.at(16 * kPageSize), 0x101'0f47u | kContiguous);
  EXPECT_EQ(rig.at(31 * kPageSize), 0x101'ff47u | kContiguous);
}

TEST(ContiguousHint, NeedsFramesAlignedAsTheAddresses) {
  ArmRig rig(kHinted);
  rig.map(0, 32 * kPageSize, 0x100'1000);
  const std::array<PhysExtent, 2> halves{{{{0x200'0000}, kRun / 2}, {{0x300'8000}, kRun / 2}}};
  ASSERT_FALSE(
      rig.table_.map(range(kBlock, kRun), ExtentCursor(halves, 0), Prot::kNone, rig.accounting_)
          .error);
  EXPECT_TRUE(rig.hinted().empty());
}

TEST(ContiguousHint, IsOnBlocksAsWell) {
  ArmRig rig(kHinted);
  rig.map(15 * kBlock, 18 * kBlock, 15 * kBlock);
  std::set<std::uint64_t> expected;
  for (std::uint64_t block = 16; block < 32; ++block) expected.insert(block * kBlock);
  EXPECT_EQ(rig.hinted(), expected);
  EXPECT_EQ(rig.table_.footprint(range(20 * kBlock + kPageSize, kPageSize)),
            range(16 * kBlock, 16 * kBlock));
  // A hole in one block: it is split, the others lose the hint, and so have the new pages none.
  EXPECT_EQ(rig.unmap(20 * kBlock + kPageSize, kPageSize), kPageSize);
  EXPECT_TRUE(rig.hinted().empty());
  EXPECT_EQ(rig.sizes(), (std::map<std::uint64_t, int>{{kPageSize, 511}, {kBlock, 17}}));
}

TEST(ContiguousHint, GoesFromTheWholeRunWhenPartOfItIsEdited) {
  ArmRig rig(kHinted);
  rig.map(0, 4 * kRun, 0x100'0000);
  EXPECT_EQ(rig.table_.footprint(range(kRun + kPageSize, kRun)), range(kRun, 2 * kRun));
  EXPECT_EQ(rig.unmap(kRun - kPageSize, kPageSize), kPageSize);
  EXPECT_EQ(rig.protect(2 * kRun, kRun, Prot::kReadOnly), kRun);            // a whole run keeps it
  EXPECT_EQ(rig.protect(3 * kRun, kPageSize, Prot::kReadOnly), kPageSize);  // a part does not
  std::set<std::uint64_t> expected;
  for (std::uint64_t page = 16; page < 48; ++page) expected.insert(page * kPageSize);
  EXPECT_EQ(rig.hinted(), expected);
  EXPECT_EQ(rig.at(2 * kRun), 0x102'0fc7u | kContiguous);
}

TEST(Coalesce, ReformsBlocksFromPages) {
  ArmRig rig(kPlain);
  rig.map(0, 2 * kGiB, 0);
  rig.protect(kGiB - kPageSize, 2 * kPageSize, Prot::kReadOnly);
  EXPECT_EQ(rig.coalesce(0, 2 * kGiB), 0u);  // permissions differ
  rig.protect(kGiB - kPageSize, 2 * kPageSize, Prot::kNone);
  EXPECT_EQ(rig.coalesce(0, kGiB - kPageSize), 0u);  // the last window sticks out
  EXPECT_EQ(rig.coalesce(kGiB - kBlock, kBlock + kGiB), 1u + 2u);
  EXPECT_EQ(rig.sizes(), (std::map<std::uint64_t, int>{{kBlock, 512}, {kGiB, 1}}));
  EXPECT_EQ(rig.coalesce(0, 2 * kGiB), 1u);
  EXPECT_EQ(rig.sizes(), (std::map<std::uint64_t, int>{{kGiB, 2}}));
  EXPECT_EQ(rig.at(kGiB), 0x4000'0f45u);
}

TEST(Coalesce, LeavesAloneWhatCannotBeABlock) {
  ArmRig rig({48, 40, kPageSize | kBlock});
  rig.map(0, kBlock, kPageSize);                // frames not aligned
  rig.map(kBlock, kBlock - kPageSize, kBlock);  // a hole at the end
  const std::array<PhysExtent, 2> halves{{{{4 * kBlock}, kMiB}, {{6 * kBlock + kMiB}, kMiB}}};
  ASSERT_FALSE(
      rig.table_
          .map(range(2 * kBlock, kBlock), ExtentCursor(halves, 0), Prot::kNone, rig.accounting_)
          .error);
  EXPECT_EQ(rig.coalesce(0, kGiB), 0u);
  EXPECT_EQ(rig.leaves().size(), 512u + 511u + 512u);
}

TEST(Coalesce, NeverMakesALeafThatIsNotAllowed) {
  ArmRig rig({48, 40, kPageSize});
  rig.map(0, kBlock, kBlock);
  EXPECT_EQ(rig.coalesce(0, kGiB), 0u);
  EXPECT_EQ(rig.leaves().size(), 512u);
}

TEST(Coalesce, ReformsRuns) {
  ArmRig rig(kHinted);
  rig.map(0, 3 * kRun, 0x100'0000);
  rig.protect(kRun, kPageSize, Prot::kReadOnly);
  rig.protect(kRun, kPageSize, Prot::kNone);
  EXPECT_EQ(rig.hinted().size(), 32u);
  EXPECT_EQ(rig.coalesce(0, 2 * kRun - kPageSize), 0u);  // the run sticks out
  EXPECT_EQ(rig.hinted().size(), 32u);
  EXPECT_EQ(rig.coalesce(kRun, kRun), 0u);
  EXPECT_EQ(rig.hinted().size(), 48u);
}

// Each format that notes writes, with what the device sets in a leaf and where tables stand.
struct ArmS1Writes {
  using Table = ArmLpaeS1Table;
  static constexpr TableConfig kConfig = kTracked;
  static constexpr std::uint64_t kAddress = 0x0000'ffff'ffff'f000;
  static void write(std::uint64_t& leaf) { leaf &= ~std::uint64_t{0x80}; }
};
struct ArmS2Writes {
  using Table = ArmLpaeS2Table;
  static constexpr TableConfig kConfig{48, 48, kPageSize | kBlock | kGiB, 1,
                                       DirtyTracking::kHardware};
  static constexpr std::uint64_t kAddress = 0x0000'ffff'ffff'f000;
  static void write(std::uint64_t& leaf) { leaf |= 0x80; }
};
struct X86Writes {
  using Table = X86_64Table;
  static constexpr TableConfig kConfig = kTracked;
  static constexpr std::uint64_t kAddress = 0x000f'ffff'ffff'f000;
  static void write(std::uint64_t& leaf) { leaf |= 0x40; }
};
struct AmdWrites {
  using Table = AmdV1Table;
  static constexpr TableConfig kConfig = kTracked;
  static constexpr std::uint64_t kAddress = 0x000f'ffff'ffff'f000;
  static void write(std::uint64_t& leaf) { leaf |= 0x40; }
};

template <class Writes>
class DirtyState : public ::testing::Test {
 protected:
  using Ranges = std::vector<GpuRange>;
  void write(std::uint64_t va, unsigned height) {
    Writes::write(rig_.entry(va, height, Writes::kAddress));
  }
  Rig<typename Writes::Table> rig_{Writes::kConfig};
};
using AllWrites = ::testing::Types<ArmS1Writes, ArmS2Writes, X86Writes, AmdWrites>;
TYPED_TEST_SUITE(DirtyState, AllWrites);

TYPED_TEST(DirtyState, IsReadPerLeafAndCleared) {
  auto& rig = this->rig_;
  using Ranges = std::vector<GpuRange>;
  const GpuRange all = range(0, 4 * kGiB);
  rig.map(0, 4 * kPageSize, 0x10'0000);
  rig.map(kBlock, kBlock, kBlock);
  rig.map(kGiB, kGiB, kGiB);
  EXPECT_EQ(rig.dirty(all, DirtyAction::kRead), Ranges{});
  this->write(kPageSize, 0);
  this->write(kBlock + 0x5000, 1);
  this->write(kGiB + 0x5000, 2);
  const Ranges written{range(kPageSize, kPageSize), range(kBlock, kBlock), range(kGiB, kGiB)};
  EXPECT_EQ(rig.dirty(all, DirtyAction::kRead), written);
  EXPECT_EQ(rig.dirty(range(2 * kPageSize, kPageSize), DirtyAction::kReadAndClear), Ranges{});
  // A leaf is reported and cleared whole.
  EXPECT_EQ(rig.dirty(range(kBlock + kPageSize, kPageSize), DirtyAction::kReadAndClear),
            Ranges{range(kBlock, kBlock)});
  EXPECT_EQ(rig.dirty(all, DirtyAction::kReadAndClear), (Ranges{written[0], written[2]}));
  EXPECT_EQ(rig.dirty(all, DirtyAction::kRead), Ranges{});
  for (const Leaf& leaf : rig.leaves()) EXPECT_EQ(leaf.prot, Prot::kNone);
  this->write(kGiB, 2);
  EXPECT_EQ(rig.dirty(all, DirtyAction::kRead), Ranges{written[2]});
}

TYPED_TEST(DirtyState, SurvivesSplitsAndChangesOfPermission) {
  auto& rig = this->rig_;
  rig.map(0, 2 * kBlock, 0);
  this->write(0, 1);
  // Pages of the written block are dirty, of the other not.
  EXPECT_EQ(rig.protect(kBlock - kPageSize, 2 * kPageSize, Prot::kReadOnly), 2 * kPageSize);
  EXPECT_EQ(rig.dirty(range(0, kGiB), DirtyAction::kRead).size(), 512u);
  EXPECT_EQ(rig.table_.walk({kBlock - kPageSize})->prot, Prot::kReadOnly);
  EXPECT_EQ(rig.table_.walk({0})->prot, Prot::kNone);
  EXPECT_EQ(rig.protect(0, 2 * kBlock, Prot::kReadOnly), 2 * kBlock);
  EXPECT_EQ(rig.dirty(range(0, kGiB), DirtyAction::kRead).size(), 512u);
  EXPECT_EQ(rig.protect(0, 2 * kBlock, Prot::kNone), 2 * kBlock);
  EXPECT_EQ(rig.dirty(range(0, kGiB), DirtyAction::kReadAndClear).size(), 512u);
  // Writable again, all of it, and clean: what the device writes now is noted.
  this->write(kBlock - kPageSize, 0);
  EXPECT_EQ(rig.dirty(range(0, kGiB), DirtyAction::kRead),
            std::vector<GpuRange>{range(kBlock - kPageSize, kPageSize)});
}

TYPED_TEST(DirtyState, OfAReformedBlockIsCautious) {
  auto& rig = this->rig_;
  rig.map(0, 2 * kBlock, 0, Prot::kReadOnly);
  rig.map(2 * kBlock, kBlock, 2 * kBlock);
  rig.unmap(kPageSize, kPageSize);
  rig.map(kPageSize, kPageSize, kPageSize, Prot::kReadOnly);
  rig.protect(2 * kBlock, kPageSize, Prot::kReadOnly);
  rig.protect(2 * kBlock, kPageSize, Prot::kNone);
  EXPECT_EQ(rig.coalesce(0, kGiB), 2u);
  // Through the first nobody can have written.
  EXPECT_EQ(rig.dirty(range(0, kGiB), DirtyAction::kRead),
            std::vector<GpuRange>{range(2 * kBlock, kBlock)});
}

TEST(DirtyStateOfARun, IsThatOfAnyLeaf) {
  Rig<ArmLpaeS1Table> rig(
      {48, 40, kPageSize | kBlock, 1, DirtyTracking::kHardware, ContiguousHint::kWherePossible});
  rig.map(0, 3 * kRun, 0x100'0000);
  ArmS1Writes::write(rig.entry(kRun + 5 * kPageSize, 0, ArmS1Writes::kAddress));
  // Asked about one page, and not the one that the device has marked.
  EXPECT_EQ(rig.dirty(range(kRun + kPageSize, kPageSize), DirtyAction::kReadAndClear),
            std::vector<GpuRange>{range(kRun, kRun)});
  EXPECT_TRUE(rig.dirty(range(0, kGiB), DirtyAction::kRead).empty());
}

TEST(IovaToPhys, IsRightToTheByteInLeavesOfEverySize) {
  Rig<X86_64Table> rig({57, 52, kPageSize | kBlock | kGiB});
  const std::uint64_t top = std::uint64_t{1} << 57;
  rig.map(top - kGiB, kGiB, std::uint64_t{1} << 51);
  rig.map(0, kBlock, 4 * kBlock);
  rig.map(kBlock, kPageSize, 0x1234'5000);
  EXPECT_EQ(rig.table_.iova_to_phys({top - 1})->value, (std::uint64_t{1} << 51) + kGiB - 1);
  EXPECT_EQ(rig.table_.iova_to_phys({0x12'3456})->value, 4 * kBlock + 0x12'3456);
  EXPECT_EQ(rig.table_.iova_to_phys({kBlock + 0x678})->value, 0x1234'5678u);
  EXPECT_FALSE(rig.table_.iova_to_phys({kBlock + kPageSize}));
  EXPECT_FALSE(rig.table_.iova_to_phys({top}));
}

// All 64 bits of a six-level table.
TEST(AmdV1Table, ReachesTheLastAddress) {
  Rig<AmdV1Table> rig({64, 52, kPageSize | kBlock | kGiB});
  EXPECT_EQ(rig.table_.space().last.value, UINT64_MAX);
  const std::uint64_t last = ~(kPageSize - 1);
  rig.map(last, kPageSize, 0x1234'5000);
  rig.map(0, kGiB, kGiB);
  EXPECT_EQ(rig.table_.iova_to_phys({UINT64_MAX})->value, 0x1234'5fffu);
  EXPECT_EQ(rig.table_.footprint(rig.table_.space()), rig.table_.space());
  const auto tables = rig.table_.tables_by_level();
  EXPECT_EQ(tables, (std::array<std::uint32_t, kMaxTableLevels>{1, 2, 2, 2, 1, 1}));
  EXPECT_EQ(rig.table_.protect(rig.table_.space(), Prot::kReadOnly, rig.accounting_),
            kGiB + kPageSize);
  EXPECT_EQ(rig.table_.unmap(rig.table_.space(), rig.accounting_), kGiB + kPageSize);
  EXPECT_EQ(rig.accounting_.outstanding(), 1u);
}

TEST(MaliLpaeTable, StartsAtLevel0WhateverTheSize) {
  Rig<MaliLpaeTable> rig({33, 40, kPageSize | kBlock, 4});
  rig.map((std::uint64_t{1} << 33) - kPageSize, kPageSize, 0x1234'5000);
  const auto tables = rig.table_.tables_by_level();
  EXPECT_EQ(tables, (std::array<std::uint32_t, kMaxTableLevels>{1, 1, 1, 1}));
  EXPECT_EQ(rig.entry((std::uint64_t{1} << 33) - kPageSize, 0, 0x00ff'ffff'f000), 0x1234'52c5u);
}

TEST(RadixTable, RefusesWhatTheFormatCannotExpress) {
  TestDram memory(kMiB);
  ArenaTableAllocator arena(memory.dram());
  TableMetadata metadata(memory.dram());
  constexpr TableConfig kRuns{
      48, 40, kPageSize, 1, DirtyTracking::kNone, ContiguousHint::kWherePossible};
  EXPECT_EQ(X86_64Table::create(kRuns, metadata, arena).error(), Errno::kInval);
  EXPECT_EQ(AmdV1Table::create(kRuns, metadata, arena).error(), Errno::kInval);
  EXPECT_EQ(MaliLpaeTable::create(kTracked, metadata, arena).error(), Errno::kInval);
}

}  // namespace
}  // namespace pantry::driver
