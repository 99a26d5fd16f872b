// SPDX-License-Identifier: MIT
//
// Every format against MappingModel, through a reader that was written from the manual: random maps
// (of scatter lists), unmaps, changes of permission, re-forming and writes by the device, at the
// edges where something could go wrong, with allocations that fail on the way.
//
// PANTRY_TABLE_OPERATIONS says how many operations in all (default 60'000, a tenth under a
// sanitizer; 10'000'000 take a minute or two), PANTRY_TABLE_SEED where they begin.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "base/sanitizer.h"
#include "driver/iopgtable/accounting_allocator.h"
#include "driver/iopgtable/amd_v1_table.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_shared_table.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/arm_lpae_s2_table.h"
#include "driver/iopgtable/fault_injecting_allocator.h"
#include "driver/iopgtable/mali_lpae_table.h"
#include "driver/iopgtable/mapping_model.h"
#include "driver/iopgtable/reference_walkers.h"
#include "driver/iopgtable/risc_v_table.h"
#include "driver/iopgtable/vtd_second_stage_table.h"
#include "driver/iopgtable/x86_64_table.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr std::uint64_t kPages = kPageSize;
constexpr std::uint64_t kBlocks = kPageSize | kBlock;
constexpr std::uint64_t kAll = kPageSize | kBlock | kGiB;
constexpr DirtyTracking kDirty = DirtyTracking::kHardware;
constexpr DirtyTracking kNoDirty = DirtyTracking::kNone;
constexpr ContiguousHint kHints = ContiguousHint::kWherePossible;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 0) : otherwise;
}

ArmReference reference(const ArmLpaeS1Table& table) {
  return {ArmReference::Stage::k1, table.config().va_bits};
}
ArmReference reference(const ArmLpaeS1SharedTable& table) {
  return {ArmReference::Stage::k1, table.config().va_bits};
}
ArmReference reference(const ArmLpaeS2Table& table) {
  return {ArmReference::Stage::k2, table.config().va_bits};
}
MaliReference reference(const MaliLpaeTable& table) {
  return MaliReference(table.config().va_bits);
}
X86Reference reference(const X86_64Table& table) {
  return X86Reference(table.config().va_bits == 57 ? 5 : 4);
}
AmdReference reference(const AmdV1Table& table) {
  // 21 bits are mode 1, 30 mode 2, ...
  const std::uint32_t bits = table.config().va_bits;
  return {bits <= 30 ? 2u : bits <= 39 ? 3u : bits <= 48 ? 4u : bits <= 57 ? 5u : 6u, bits};
}

VtdReference reference(const VtdSecondStageTable& table) {
  return VtdReference(table.config().va_bits);
}
RiscVReference reference(const RiscVTable& table) { return RiscVReference(table.config().va_bits); }

template <class Table>
class World {
 public:
  using Reader = decltype(reference(std::declval<const Table&>()));

  World(const TableConfig& config, std::uint64_t seed)
      : random_(seed),
        table_(*Table::create(config, metadata_, accounting_)),
        walker_(memory_.dram(), table_.root(), reference(table_)),
        model_({config.page_sizes, config.contiguous == kHints ? Reader::kContiguousEntries : 1,
                config.dirty == kDirty,
                Reader::kHasExecute ? Prot::kReadOnly | Prot::kNoExec | Prot::kUncached
                                    : Prot::kReadOnly | Prot::kUncached}) {}
  ~World() {
    table_.destroy(accounting_);
    arena_.after_flush();
    EXPECT_EQ(accounting_.outstanding(), 0u);
  }

  // False: something failed, and more would only repeat it.
  bool run(std::uint64_t operations) {
    for (std::uint64_t n = 0; n < operations && !::testing::Test::HasFailure(); ++n) {
      SCOPED_TRACE("operation " + std::to_string(n));
      one();
      arena_.after_flush();
      if (n < 2048 ? n % 32 == 31 : n % 4096 == 4095) check_all();
    }
    check_all();
    return !::testing::Test::HasFailure();
  }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  void one() {
    if (arena_.available() < memory_.dram().size / kPageSize / 4) unmap(table_.space());
    const GpuRange range = any_range();
    faults_.allow(one_in(32) ? below(6) : UINT64_MAX);
    const std::uint64_t kind = below(100);
    if (kind < 45)
      map(range);
    else if (kind < 72)
      unmap(range);
    else if (kind < 90)
      protect(range);
    else if (kind < 95)
      coalesce(range);
    else if (kind < 99)
      device_writes(range);
    else if (one_in(8))
      unmap(table_.space());
    check_around(range);
  }

  // A range near one of the places where something could go wrong.
  GpuRange any_range() {
    const std::uint64_t last_page = table_.space().last.value / kPageSize;
    static constexpr unsigned kEdges[] = {0, 12, 21, 22, 30, 31, 39, 40, 47, 48, 56, 57, 63};
    const unsigned edge = kEdges[below(std::size(kEdges))];
    std::uint64_t anchor = one_in(8) ? last_page : (std::uint64_t{1} << edge) / kPageSize;
    const std::uint64_t kind = below(64);
    std::uint64_t length;
    std::uint64_t grain = 1;
    if (kind < 32) {
      length = 1 + below(40);
    } else if (kind < 48) {
      static constexpr std::uint64_t kLengths[] = {15, 16, 17, 32, 511, 512, 513, 1024, 1536};
      length = kLengths[below(std::size(kLengths))];
    } else if (kind < 56) {
      length = 1 + below(1600);
    } else if (kind < 63) {
      length = 512 * (1 + below(40));
      grain = 512;
    } else {
      grain = one_in(2) ? 512 * 512 : 512;
      length = 512 * 512 * (1 + below(3));
      if (one_in(64) && table_.config().page_sizes != kPages) length *= 16;
    }
    const std::int64_t shift =
        (static_cast<std::int64_t>(below(3 * length + 3)) - static_cast<std::int64_t>(2 * length));
    std::uint64_t first = anchor + static_cast<std::uint64_t>(shift);
    if (shift < 0 && anchor < static_cast<std::uint64_t>(-shift)) first = 0;
    if (one_in(2)) first = first / 16 * 16;
    first = std::min(first / grain * grain, last_page);
    length = std::min(length, last_page - first + 1);
    return GpuRange::of_size({first * kPageSize}, length * kPageSize);
  }

  // Frames for `range`, in one to six pieces, often aligned as the addresses are.
  std::vector<PhysExtent> any_extents(GpuRange range) {
    std::vector<PhysExtent> extents;
    const std::uint64_t limit = std::uint64_t{1} << table_.config().pa_bits;
    std::uint64_t va = range.first.value;
    std::uint64_t left = range.size() / kPageSize;
    for (std::uint64_t pieces = one_in(2) ? 1 : 1 + below(6); left != 0; --pieces) {
      std::uint64_t count = left;
      if (pieces > 1) {
        count = 1 + below(left);
        if (one_in(2)) count = std::min(left, (kBlock - va % kBlock) / kPageSize);
      }
      const std::uint64_t size = count * kPageSize;
      // Of a large piece all 4 KiB leaves would cost more memory than they show.
      const std::uint64_t alignment = size > 64 * kMiB || one_in(4) ? kGiB
                                      : one_in(2)                   ? kBlock
                                                                    : 64 * kKiB;
      const std::uint64_t inside =
          one_in(4) && size < 64 * kMiB ? below(alignment / kPageSize) * kPageSize : va % alignment;
      std::uint64_t start = below(limit / alignment) * alignment + inside;
      if (one_in(16)) start = (limit - size) / alignment * alignment + inside;  // the last frames
      while (start + size > limit) start -= alignment;
      extents.push_back({{start}, size});
      left -= count;
      va += size;
    }
    return extents;
  }
  Prot any_prot() { return static_cast<Prot>(below(8)); }

  void map(GpuRange range) {
    const std::vector<PhysExtent> extents = any_extents(range);
    const Prot prot = any_prot();
    const MapProgress progress = table_.map(range, ExtentCursor(extents, 0), prot, accounting_);
    if (model_.any(range)) {
      EXPECT_EQ(progress.error, Errno::kExist);
      EXPECT_EQ(progress.mapped, 0u);
      return;
    }
    if (!progress.error) {
      EXPECT_EQ(progress.mapped, range.size());
      return model_.map(range.first.value, extents, prot);
    }
    EXPECT_EQ(*progress.error, Errno::kNoMem);
    EXPECT_GT(faults_.refused(), 0u);
    if (progress.mapped == 0) return;
    // Going back needs no page.
    faults_.allow(0);
    EXPECT_EQ(table_.unmap(GpuRange::of_size(range.first, progress.mapped), accounting_),
              progress.mapped);
  }
  // The result, or after ENOMEM the result with all the pages that it wants: what was changed
  // before is at most the size of leaves.
  template <class Edit>
  std::uint64_t insist(GpuRange range, Edit edit) {
    Result<std::uint64_t> bytes = edit();
    if (!bytes) {
      EXPECT_EQ(bytes.error(), Errno::kNoMem);
      check_translations(range);
      faults_.allow(UINT64_MAX);
      bytes = edit();
    }
    return bytes.value_or(UINT64_MAX);
  }
  void unmap(GpuRange range) {
    EXPECT_EQ(table_.footprint(range), model_.footprint(range));
    const std::uint64_t bytes = insist(range, [&] { return table_.unmap(range, accounting_); });
    EXPECT_EQ(bytes, model_.unmap(range));
  }
  void protect(GpuRange range) {
    const Prot prot = any_prot();
    const std::uint64_t bytes =
        insist(range, [&] { return table_.protect(range, prot, accounting_); });
    EXPECT_EQ(bytes, model_.protect(range, prot));
  }
  void coalesce(GpuRange range) {
    if (one_in(2)) {
      // All of a window alike, so that there is something to re-form.
      const std::uint64_t window = one_in(8) ? kGiB : kBlock;
      range.first.value = align_down(range.first.value, window);
      range.last.value = std::min(range.last.value | (window - 1), table_.space().last.value);
      protect(range);
    }
    EXPECT_EQ(table_.coalesce(range, accounting_), model_.coalesce(range));
  }
  void device_writes(GpuRange range) {
    if (table_.config().dirty != kDirty) return;
    for (std::uint64_t n = below(8); n != 0; --n) {
      const std::uint64_t va = range.first.value + below(range.size());
      if (model_.find(va) == model_.pieces().end()) continue;
      walker_.write(va);
      model_.write(va);
    }
    if constexpr (requires { table_.for_each_dirty(range, DirtyAction::kRead, [](GpuRange) {}); }) {
      std::vector<GpuRange> dirty;
      const DirtyAction action = one_in(2) ? DirtyAction::kRead : DirtyAction::kReadAndClear;
      table_.for_each_dirty(range, action, [&](GpuRange leaf) { dirty.push_back(leaf); });
      MappingModel copy = model_;
      EXPECT_EQ(dirty, copy.take_dirty(range));
      if (action == DirtyAction::kReadAndClear) model_ = copy;
    }
  }

  void check_at(std::uint64_t va) {
    const auto expected = model_.find(va);
    const std::optional<ReferenceLeaf> found = walker_.find(va);
    const std::optional<PhysAddr> ours = table_.iova_to_phys({va});
    ASSERT_EQ(found.has_value(), expected != model_.pieces().end()) << std::hex << va;
    ASSERT_EQ(ours.has_value(), found.has_value()) << std::hex << va;
    if (!found) return;
    const MappingModel::Piece& piece = expected->second;
    const std::uint64_t frame = piece.frame + (va - expected->first);
    ASSERT_EQ(found->entry.address + (va - found->va), frame) << std::hex << va;
    ASSERT_EQ(ours->value, frame);
    ASSERT_EQ(table_.walk({va})->prot, piece.prot) << std::hex << va;
    check_permissions(found->entry, piece, va);
  }
  void check_permissions(const ReferenceEntry& entry, const MappingModel::Piece& piece,
                         std::uint64_t va) {
    ASSERT_EQ(entry.write, !has(piece.prot, Prot::kReadOnly)) << std::hex << va;
    ASSERT_EQ(entry.execute, !has(piece.prot, Prot::kNoExec)) << std::hex << va;
    ASSERT_EQ(entry.cached, !has(piece.prot, Prot::kUncached)) << std::hex << va;
  }
  void check_translations(GpuRange range) {
    check_at(range.first.value);
    check_at(range.last.value);
    for (int i = 0; i < 4; ++i)
      check_at(range.first.value + below(range.size() == 0 ? UINT64_MAX : range.size()));
  }
  void check_around(GpuRange range) {
    check_translations(range);
    if (range.first.value != 0) check_at(range.first.value - 1);
    if (range.last != table_.space().last) check_at(range.last.value + 1);
    check_at(below(table_.space().last.value));
  }

  void check_all() {
    const auto contents = walker_.read_all();
    EXPECT_EQ(contents.empty_tables, 0u);
    EXPECT_EQ(contents.bad, 0u);
    EXPECT_EQ(contents.tables, accounting_.outstanding());
    std::uint64_t tables = 0;
    for (const std::uint32_t at_level : table_.tables_by_level()) tables += at_level;
    EXPECT_EQ(contents.tables, tables);

    auto at = model_.pieces().begin();
    std::uint64_t into = 0;
    for (const ReferenceLeaf& leaf : contents.leaves) {
      ASSERT_NE(at, model_.pieces().end()) << std::hex << leaf.va;
      const auto& [first, piece] = *at;
      ASSERT_EQ(leaf.va, first + into) << std::hex << leaf.va;
      ASSERT_EQ(leaf.size, piece.leaf) << std::hex << leaf.va;
      ASSERT_EQ(leaf.entry.address, piece.frame + into) << std::hex << leaf.va;
      ASSERT_EQ(leaf.entry.contiguous, piece.hint) << std::hex << leaf.va;
      if (table_.config().dirty == kDirty) {
        ASSERT_EQ(leaf.entry.dirty, piece.dirty) << std::hex << leaf.va;
      }
      check_permissions(leaf.entry, piece, leaf.va);
      into += leaf.size;
      if (into - 1 != piece.last - first) continue;
      ++at;
      into = 0;
    }
    ASSERT_EQ(at, model_.pieces().end());

    std::size_t n = 0;
    table_.for_each_leaf(table_.space(), [&](const Leaf& leaf) {
      if (n < contents.leaves.size()) {
        EXPECT_EQ(leaf.range.first.value, contents.leaves[n].va);
        EXPECT_EQ(leaf.range.size(), contents.leaves[n].size);
        EXPECT_EQ(leaf.frame.value, contents.leaves[n].entry.address);
      }
      ++n;
    });
    EXPECT_EQ(n, contents.leaves.size());
  }

  std::mt19937_64 random_;
  TestDram memory_{64 * kMiB};
  ArenaTableAllocator arena_{memory_.dram()};
  FaultInjectingAllocator faults_{arena_, UINT64_MAX};
  AccountingAllocator accounting_{faults_};
  TableMetadata metadata_{memory_.dram()};
  Table table_;
  ReferenceWalker<Reader> walker_;
  MappingModel model_;
};

constexpr std::uint64_t kOperations =
    PANTRY_THREAD_SANITIZER || PANTRY_ADDRESS_SANITIZER ? 6'000 : 60'000;
constexpr std::uint64_t kConfigurations = 29;

// Says how many operations were made in all, for who must know (scripts/campaign formats).
class RadixTableFormats : public ::testing::Test {
 public:
  static void TearDownTestSuite() {
    std::printf("RadixTableFormats: %llu operations\n", static_cast<unsigned long long>(made_));
  }

 protected:
  template <class Table>
  static void agrees(std::initializer_list<TableConfig> configs);

 private:
  static inline std::uint64_t made_ = 0;
};

template <class Table>
void RadixTableFormats::agrees(std::initializer_list<TableConfig> configs) {
  const std::uint64_t operations = from_environment("PANTRY_TABLE_OPERATIONS", kOperations);
  const std::uint64_t seed = from_environment("PANTRY_TABLE_SEED", 1);
  for (const TableConfig& config : configs) {
    SCOPED_TRACE("va_bits " + std::to_string(config.va_bits) + ", page sizes " +
                 std::to_string(config.page_sizes));
    World<Table> world(config, seed);
    const std::uint64_t share = (operations + kConfigurations - 1) / kConfigurations;
    if (!world.run(share)) return;
    made_ += share;
  }
}

TEST_F(RadixTableFormats, ArmLpaeS1) {
  agrees<ArmLpaeS1Table>({{48, 40, kBlocks},
                          {39, 36, kPages},
                          {33, 40, kBlocks, 1, kNoDirty, kHints},
                          {48, 48, kAll, 1, kNoDirty, kHints},
                          {48, 48, kAll, 1, kDirty},
                          {30, 32, kBlocks, 1, kDirty}});
}
// What several writers need is right for one.
TEST_F(RadixTableFormats, ArmLpaeS1ForManyWriters) {
  agrees<ArmLpaeS1SharedTable>({{48, 48, kAll, 1, kNoDirty, kHints}, {39, 40, kBlocks, 1, kDirty}});
}
TEST_F(RadixTableFormats, ArmLpaeS2) {
  agrees<ArmLpaeS2Table>({{39, 40, kBlocks},
                          {48, 48, kAll, 1, kNoDirty, kHints},
                          {48, 48, kAll, 1, kDirty},
                          {25, 32, kPages, 1, kNoDirty, kHints}});
}
TEST_F(RadixTableFormats, MaliLpae) {
  agrees<MaliLpaeTable>({{48, 40, kBlocks}, {33, 40, kAll, 4}, {39, 32, kPages, 4}});
}
TEST_F(RadixTableFormats, X86_64) {
  agrees<X86_64Table>({{48, 52, kAll}, {48, 40, kPages}, {57, 52, kAll, 1, kDirty}});
}
TEST_F(RadixTableFormats, AmdV1) {
  agrees<AmdV1Table>(
      {{39, 52, kBlocks}, {48, 48, kAll, 1, kDirty}, {57, 52, kAll}, {64, 52, kAll, 1, kDirty}});
}
TEST_F(RadixTableFormats, VtdSecondStage) {
  agrees<VtdSecondStageTable>({{39, 40, kPages}, {48, 52, kBlocks}, {57, 52, kAll, 1, kDirty}});
}
TEST_F(RadixTableFormats, RiscV) {
  agrees<RiscVTable>(
      {{39, 56, kAll}, {39, 40, kPages}, {48, 56, kBlocks}, {57, 56, kAll, 1, kDirty}});
}

}  // namespace
}  // namespace pantry::driver
