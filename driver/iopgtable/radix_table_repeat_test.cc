// SPDX-License-Identifier: MIT
//
// Ranges that show the same 2 MiB over and over: the tables that they share, cut and give back; and
// against a model that knows nothing of tables.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
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
constexpr std::uint64_t kFrames = 0x40'0000;
constexpr Prot kProt = Prot::kNoExec;

const std::vector<PhysExtent> kOneBlock{{{kFrames}, kBlock}};
// In the wrong order, and not where a block could be.
const std::vector<PhysExtent> kPieces{{{kFrames + 3 * kMiB}, kMiB}, {{kFrames}, kMiB}};

GpuRange range(std::uint64_t first, std::uint64_t size) { return GpuRange::of_size({first}, size); }

struct Space {
  explicit Space(const TableConfig& config)
      : table(*ArmLpaeS1Table::create(config, metadata, accounting)) {}
  ~Space() {
    table.destroy(accounting);
    EXPECT_EQ(accounting.outstanding(), 0u);
  }
  MapProgress repeat(GpuRange where, const std::vector<PhysExtent>& extents, Prot prot = kProt) {
    return table.map_repeated(where, RepeatedFrames(extents), prot, accounting);
  }
  RawTable raw() const { return {memory.dram(), table.root(), 4 - table.config().levels()}; }
  std::optional<std::uint64_t> frame_at(std::uint64_t va) const {
    const auto leaf = raw().find(va);
    if (!leaf) return std::nullopt;
    return leaf->frame() + (va - leaf->va);
  }
  std::uint64_t pages() const { return accounting.outstanding(); }

  TestDram memory{4 * kMiB};
  ArenaTableAllocator arena{memory.dram()};
  FaultInjectingAllocator faults{arena, UINT64_MAX};
  AccountingAllocator accounting{faults};
  TableMetadata metadata{memory.dram()};
  ArmLpaeS1Table table;
};

using Levels = std::array<std::uint32_t, 4>;
Levels levels(const Space& space) {
  const auto all = space.table.tables_by_level();
  return {all[0], all[1], all[2], all[3]};
}

// [C3.6]
TEST(RepeatedRange, TakesOnePageForEachLevel) {
  {
    Space space(kPanthor);
    ASSERT_FALSE(space.repeat(range(kGiB, 256 * kGiB), kOneBlock).error);
    EXPECT_EQ(levels(space), (Levels{1, 1, 1, 0}));
    EXPECT_EQ(space.frame_at(kGiB), kFrames);
    EXPECT_EQ(space.frame_at(200 * kGiB + 5 * kBlock + 0x3000), kFrames + 0x3000);
    EXPECT_EQ(space.frame_at(257 * kGiB - kPageSize), kFrames + kBlock - kPageSize);
    EXPECT_FALSE(space.frame_at(257 * kGiB));
    EXPECT_FALSE(space.frame_at(kGiB - 1));
  }
  {
    Space space(kPanthor);
    ASSERT_FALSE(space.repeat(range(kGiB, 256 * kGiB), kPieces).error);
    EXPECT_EQ(levels(space), (Levels{1, 1, 1, 1}));
    EXPECT_EQ(space.frame_at(200 * kGiB), kFrames + 3 * kMiB);
    EXPECT_EQ(space.frame_at(200 * kGiB + kMiB + 0x5000), kFrames + 0x5000);
  }
  {
    // 32 windows of 512 GiB, no edge in any.
    Space space(kPanthor);
    ASSERT_FALSE(space.repeat(range(512 * kGiB, 32 * 512 * kGiB), kOneBlock).error);
    EXPECT_EQ(levels(space), (Levels{1, 1, 1, 0}));
    EXPECT_EQ(space.table.walk({7 * 512 * kGiB + 3 * kBlock})->frame, PhysAddr{kFrames});
    ASSERT_TRUE(space.table.unmap(range(0, 64 * 512 * kGiB), space.accounting));
    EXPECT_EQ(levels(space), (Levels{1, 0, 0, 0}));
  }
}

// [C3.7]
TEST(RepeatedRange, AHoleTakesOnePageForEachLevelThatIsCut) {
  for (const auto* extents : {&kOneBlock, &kPieces}) {
    Space space(kPanthor);
    ASSERT_FALSE(space.repeat(range(kGiB, 256 * kGiB), *extents).error);
    const std::uint64_t before = space.pages();
    const std::uint64_t hole = 100 * kGiB + 7 * kBlock + 9 * kPageSize;
    EXPECT_EQ(space.table.footprint(range(hole, kPageSize)), range(100 * kGiB, kGiB))
        << "all that goes through the table which makes way";
    space.faults.allow(2);
    EXPECT_EQ(space.table.unmap(range(hole, kPageSize), space.accounting).value_or(0), kPageSize);
    EXPECT_EQ(space.pages(), before + 2);
    EXPECT_FALSE(space.frame_at(hole));
    for (const std::uint64_t kept : {hole - kPageSize, hole + kPageSize, hole - kBlock,
                                     hole + kBlock, hole - kGiB, hole + kGiB}) {
      const std::uint64_t in = kept % kBlock;
      EXPECT_EQ(space.frame_at(kept), extents == &kOneBlock ? kFrames + in
                                      : in < kMiB           ? kFrames + 3 * kMiB + in
                                                            : kFrames + in - kMiB)
          << std::hex << kept;
    }
    // Another one beside it finds tables of its own there.
    space.faults.allow(0);
    EXPECT_EQ(space.table.unmap(range(hole + kPageSize, kPageSize), space.accounting).value_or(0),
              kPageSize);
    EXPECT_EQ(space.table.unmap(range(0, 512 * kGiB), space.accounting).value_or(0),
              256 * kGiB - 2 * kPageSize);
    EXPECT_EQ(levels(space), (Levels{1, 0, 0, 0}));
  }
}

TEST(RepeatedRange, AFailedCutChangesNothing) {
  for (std::uint64_t pages = 0; pages < 4; ++pages) {
    Space space(kPanthor);
    ASSERT_FALSE(space.repeat(range(0, 1024 * kGiB), kPieces).error);
    space.faults.allow(pages);
    const std::uint64_t hole = 600 * kGiB + 0x5000;
    const auto unmapped = space.table.unmap(range(hole, kPageSize), space.accounting);
    ASSERT_EQ(unmapped.has_value(), pages == 3);
    EXPECT_EQ(space.frame_at(hole).has_value(), pages != 3);
    EXPECT_TRUE(space.frame_at(hole + kPageSize));
    space.faults.allow(0);
    EXPECT_TRUE(space.table.unmap(space.table.space(), space.accounting));
    EXPECT_EQ(space.pages(), 1u);
  }
}

TEST(RepeatedRange, AFailedMapSaysHowFarItCame) {
  const GpuRange where = range(kGiB - kPageSize, 600 * kGiB);
  for (std::uint64_t pages = 0;; ++pages) {
    Space space(kPanthor);
    space.faults.allow(pages);
    const MapProgress progress = space.repeat(where, kPieces);
    ASSERT_LT(pages, 20u);
    for (const std::uint64_t at : {std::uint64_t{0}, kPageSize, kGiB, 300 * kGiB, 599 * kGiB}) {
      EXPECT_EQ(space.frame_at(where.first.value + at).has_value(), at < progress.mapped)
          << pages << " " << at;
    }
    EXPECT_EQ(space.raw().find(where.last.value).has_value(), !progress.error);
    if (!progress.error) break;
    EXPECT_EQ(*progress.error, Errno::kNoMem);
    if (progress.mapped == 0) {
      EXPECT_EQ(space.pages(), 1u);
    }
  }
}

TEST(RepeatedRange, SaysEexistAndChangesNothing) {
  Space space(kPanthor);
  ASSERT_FALSE(space.repeat(range(kGiB, kGiB), kOneBlock).error);
  const std::uint64_t pages = space.pages();
  EXPECT_EQ(space.repeat(range(2 * kGiB - kPageSize, 4 * kGiB), kOneBlock).error, Errno::kExist);
  const std::array<PhysExtent, 1> one{{{{0x1000}, kPageSize}}};
  EXPECT_EQ(space.table
                .map(range(kGiB + kBlock, kPageSize), ExtentCursor(one, 0), kProt, space.accounting)
                .error,
            Errno::kExist);
  EXPECT_EQ(space.pages(), pages);
}

TEST(RepeatedRange, ATableThatIsWantedStaysAndIsFilled) {
  Space space(kPanthor);
  // What stands for a bind that is pending.
  for (const std::uint32_t height : {2u, 1u, 0u})
    ASSERT_TRUE(space.table.install(TableWindow::around({kGiB}, height), space.accounting));
  ASSERT_FALSE(space.repeat(range(0, 512 * kGiB), kPieces).error);
  EXPECT_EQ(space.table.standing(TableWindow::around({kGiB}, 0)), ArmLpaeS1Table::Standing::kTable);
  EXPECT_EQ(space.table.standing(TableWindow::around({kGiB + kBlock}, 0)),
            ArmLpaeS1Table::Standing::kLeaf);
  for (const std::uint64_t va : {std::uint64_t{0}, kGiB, kGiB + kBlock, 2 * kGiB})
    EXPECT_EQ(space.frame_at(va), kFrames + 3 * kMiB);
  for (const std::uint32_t height : {2u, 1u, 0u})
    space.table.unreference(TableWindow::around({kGiB}, height));
  EXPECT_EQ(space.table.unmap(range(0, 512 * kGiB), space.accounting).value_or(0), 512 * kGiB);
  EXPECT_EQ(space.pages(), 1u);
}

TEST(RepeatedRange, NothingIsMadeOfIt) {
  Space space(kPanthor);
  ASSERT_FALSE(space.repeat(range(0, 3 * kGiB), kPieces).error);
  EXPECT_EQ(space.table.coalesce(range(0, 4 * kGiB), space.accounting), 0u);
  space.table.prune(range(0, 4 * kGiB), space.accounting);
  EXPECT_EQ(space.frame_at(2 * kGiB), kFrames + 3 * kMiB);
}

// What one page of a repeated range leads to is known by its address alone, so the model keeps
// ranges: of repeats, beside pages that are mapped one by one.
struct Model {
  struct Content {
    bool repeated;
    std::uint64_t frame;  // of the first byte, unless repeated
    const std::vector<PhysExtent>* extents;
    Prot prot;
  };
  struct Piece {
    std::uint64_t last;
    Content content;
  };
  std::map<std::uint64_t, Piece> pieces;

  void cut(std::uint64_t at) {
    auto found = pieces.upper_bound(at);
    if (found == pieces.begin()) return;
    auto& [first, piece] = *std::prev(found);
    if (first == at || piece.last < at) return;
    Piece right = piece;
    right.content.frame += at - first;
    piece.last = at - 1;
    pieces.emplace(at, right);
  }
  std::uint64_t unmap(GpuRange where) {
    cut(where.first.value);
    cut(where.last.value + 1);
    std::uint64_t bytes = 0;
    for (auto at = pieces.lower_bound(where.first.value);
         at != pieces.end() && at->first <= where.last.value; at = pieces.erase(at))
      bytes += at->second.last - at->first + 1;
    return bytes;
  }
  std::optional<std::pair<std::uint64_t, Prot>> at(std::uint64_t va) const {
    auto found = pieces.upper_bound(va);
    if (found == pieces.begin()) return std::nullopt;
    --found;
    if (found->second.last < va) return std::nullopt;
    const Content& content = found->second.content;
    if (!content.repeated) return std::pair(content.frame + (va - found->first), content.prot);
    std::uint64_t in = va % kBlock;
    for (const PhysExtent& extent : *content.extents) {
      if (in < extent.size) return std::pair(extent.start.value + in, content.prot);
      in -= extent.size;
    }
    return std::nullopt;
  }
};

GpuRange any_range(GpuRange space) {
  const std::uint64_t anchor = *rc::gen::element<std::uint64_t>(
      0, kBlock, kGiB, 3 * kGiB, 512 * kGiB, 513 * kGiB, 1024 * kGiB, space.last.value + 1);
  const std::uint64_t unit = *rc::gen::element(std::uint64_t{kPageSize}, std::uint64_t{kBlock},
                                               std::uint64_t{kGiB}, std::uint64_t{512 * kGiB});
  const std::int64_t shift =
      *rc::gen::inRange<std::int64_t>(-3, 4) * static_cast<std::int64_t>(unit) +
      *rc::gen::inRange<std::int64_t>(-2, 3) * 4096;
  const std::uint64_t size = *rc::gen::inRange<std::uint64_t>(1, 5) *
                                 *rc::gen::element(std::uint64_t{kPageSize}, std::uint64_t{kBlock},
                                                   std::uint64_t{kGiB}, std::uint64_t{512 * kGiB}) +
                             *rc::gen::element(std::uint64_t{0}, std::uint64_t{0},
                                               std::uint64_t{kPageSize}, std::uint64_t{kBlock});
  const std::int64_t first = std::max<std::int64_t>(static_cast<std::int64_t>(anchor) + shift, 0);
  const std::uint64_t from =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(first), space.last.value + 1 - kPageSize);
  return GpuRange::of_size({from}, std::min(size, space.last.value + 1 - from));
}

class World {
 public:
  explicit World(const TableConfig& config) : space_(config) {}

  void repeat(GpuRange where, const std::vector<PhysExtent>& extents, Prot prot) {
    take_out<&ArmLpaeS1Table::clear>(where);
    const std::uint64_t allocs = space_.accounting.allocations();
    const MapProgress progress = space_.repeat(where, extents, prot);
    RC_ASSERT(!progress.error);
    RC_ASSERT(progress.mapped == where.size());
    // Two windows at each level that the edges lie in, and one table besides.
    RC_ASSERT(space_.accounting.allocations() - allocs <= 3 * (space_.table.config().levels() - 1));
    model_.pieces[where.first.value] = {where.last.value, {true, 0, &extents, prot}};
    note(where);
  }
  void map(GpuRange where, std::uint64_t frame, Prot prot) {
    take_out<&ArmLpaeS1Table::clear>(where);
    const std::array<PhysExtent, 1> extents{{{{frame}, where.size()}}};
    RC_ASSERT(!space_.table.map(where, ExtentCursor(extents, 0), prot, space_.accounting).error);
    model_.pieces[where.first.value] = {where.last.value, {false, frame, nullptr, prot}};
    note(where);
  }
  void unmap(GpuRange where) {
    take_out<&ArmLpaeS1Table::unmap>(where);
    note(where);
  }
  void check() {
    space_.arena.after_flush();
    // As the device reads them, at whatever was ever an edge and a few places besides.
    for (const std::uint64_t va : places_) {
      const auto leaf = space_.raw().find(va);
      const auto expected = model_.at(va);
      RC_ASSERT(leaf.has_value() == expected.has_value());
      const auto own = space_.table.walk({va});
      RC_ASSERT(own.has_value() == expected.has_value());
      if (!leaf) continue;
      RC_ASSERT(leaf->frame() + (va - leaf->va) == expected->first);
      RC_ASSERT(space_.table.iova_to_phys({va}) == PhysAddr{expected->first});
      RC_ASSERT(own->prot == expected->second);
    }
    // Every table that is accounted for can be reached, and no other; none of them is empty.
    std::set<std::uint64_t> reached;
    reach(space_.table.root().value, 4 - space_.table.config().levels(), reached);
    RC_ASSERT(reached.size() == space_.pages());
    std::uint32_t counted = 0;
    for (const std::uint32_t tables : space_.table.tables_by_level()) counted += tables;
    RC_ASSERT(counted == reached.size());
  }
  void tear_down() {
    take_out<&ArmLpaeS1Table::unmap>(space_.table.space());
    RC_ASSERT(space_.pages() == 1u);
  }

 private:
  template <auto kEdit>
  void take_out(GpuRange where) {
    const GpuRange footprint = space_.table.footprint(where);
    RC_ASSERT(footprint.contains(where));
    const auto bytes = (space_.table.*kEdit)(where, space_.accounting);
    RC_ASSERT(bytes.has_value());
    // unmap takes the top of the space by the end that it has.
    RC_ASSERT(*bytes == model_.unmap(where));
  }
  void note(GpuRange where) {
    for (const std::uint64_t va : {where.first.value, where.last.value}) {
      for (const std::uint64_t away : {std::uint64_t{0}, kPageSize, kBlock, kGiB, 512 * kGiB}) {
        if (va >= away) places_.insert(va - away);
        if (va + away <= space_.table.space().last.value) places_.insert(va + away);
      }
    }
  }
  std::uint32_t reach(std::uint64_t table, unsigned level, std::set<std::uint64_t>& reached) {
    const bool fresh = reached.insert(table).second;
    const auto* entries =
        static_cast<const std::uint64_t*>(space_.memory.dram().at({table}, kPageSize));
    std::uint32_t present = 0;
    for (int i = 0; i < 512; ++i) {
      if (entries[i] == 0) continue;
      ++present;
      if (level == 3 || (entries[i] & 3) != 3) continue;
      const std::uint64_t below = entries[i] & 0x0000'ffff'ffff'f000;
      if (!fresh || reached.contains(below)) continue;
      RC_ASSERT(reach(below, level + 1, reached) != 0u);
    }
    return present;
  }

  Space space_;
  Model model_;
  std::set<std::uint64_t> places_;
};

class RepeatedRangeModel : public ::testing::TestWithParam<TableConfig> {};

// [C3.7]
TEST_P(RepeatedRangeModel, AnySequenceOfRepeatsMapsAndUnmaps) {
  EXPECT_TRUE(rc::check([&] {
    World world(GetParam());
    const GpuRange space{{0}, {~std::uint64_t{0} >> (64 - GetParam().va_bits)}};
    const int steps = *rc::gen::inRange(1, 25);
    for (int i = 0; i < steps; ++i) {
      GpuRange where = any_range(space);
      const Prot prot = static_cast<Prot>(*rc::gen::inRange<std::uint32_t>(0, 8));
      switch (*rc::gen::inRange(0, 5)) {
        case 0:
        case 1:
          world.repeat(where, *rc::gen::arbitrary<bool>() ? kOneBlock : kPieces, prot);
          break;
        case 2: {
          // Memory for all of it must exist.
          where = GpuRange::of_size(where.first, std::min(where.size(), 4 * kBlock));
          const std::uint64_t frame =
              16 * kGiB + *rc::gen::inRange<std::uint64_t>(0, 64) * kBlock +
              *rc::gen::element(where.first.value % kBlock, std::uint64_t{kPageSize});
          world.map(where, frame, prot);
          break;
        }
        default:
          world.unmap(where);
      }
      world.check();
    }
    world.tear_down();
  }));
}

INSTANTIATE_TEST_SUITE_P(Configurations, RepeatedRangeModel,
                         ::testing::Values(kPanthor, TableConfig{39, 40, kPageSize | kBlock},
                                           TableConfig{48, 40, kPageSize | kBlock | kGiB},
                                           TableConfig{48, 40, kPageSize},
                                           TableConfig{33, 40, kPageSize | kBlock}));

}  // namespace
}  // namespace pantry::driver
