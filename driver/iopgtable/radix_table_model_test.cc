// SPDX-License-Identifier: MIT
//
// RadixTable against the naive idea of a page table: a map from page to (frame, attributes), beside
// the set of 2 MiB blocks that the rules call for. After each random operation the tables are read
// back as the device reads them.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
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
constexpr std::uint64_t kBlockPages = kBlock / kPageSize;

struct Page {
  std::uint64_t frame;
  Prot prot;
  bool operator==(const Page&) const = default;
};

struct Model {
  std::map<std::uint64_t, Page> pages;  // by address
  std::set<std::uint64_t> blocks;       // addresses of 2 MiB leaves

  bool any(GpuRange range) const {
    const auto at = pages.lower_bound(range.first.value);
    return at != pages.end() && at->first <= range.last.value;
  }
  void map(GpuRange range, const std::vector<PhysExtent>& extents, std::uint64_t offset,
           Prot prot) {
    std::vector<std::uint64_t> frames;
    std::vector<std::uint64_t> ahead;  // contiguous bytes from each frame on
    for (const PhysExtent& extent : extents) {
      for (std::uint64_t at = 0; at < extent.size; at += kPageSize) {
        frames.push_back(extent.start.value + at);
        ahead.push_back(extent.size - at);
      }
    }
    const std::uint64_t skip = offset / kPageSize;
    for (std::uint64_t at = 0; at < range.size(); at += kPageSize) {
      const std::uint64_t va = range.first.value + at;
      const std::uint64_t frame = frames.at(skip + at / kPageSize);
      pages[va] = {frame, prot};
      if (va % kBlock == 0 && frame % kBlock == 0 && range.size() - at >= kBlock &&
          ahead.at(skip + at / kPageSize) >= kBlock)
        blocks.insert(va);
    }
  }
  std::uint64_t unmap(GpuRange range) {
    std::uint64_t bytes = 0;
    for (auto at = pages.lower_bound(range.first.value);
         at != pages.end() && at->first <= range.last.value;) {
      blocks.erase(align_down(at->first, kBlock));
      at = pages.erase(at);
      bytes += kPageSize;
    }
    return bytes;
  }
  GpuRange footprint(GpuRange range) const {
    const std::uint64_t first = align_down(range.first.value, kBlock);
    const std::uint64_t last = align_down(range.last.value, kBlock);
    return {{blocks.contains(first) ? first : range.first.value},
            {blocks.contains(last) ? last + kBlock - 1 : range.last.value}};
  }
};

// A range near one of the places where something could go wrong.
GpuRange any_range(const GpuRange space) {
  const std::uint64_t pages_in_space = space.last.value / kPageSize + 1;
  const std::uint64_t anchor =
      *rc::gen::element<std::uint64_t>(0, kBlock, 3 * kBlock, kGiB, kGiB + kBlock, 512 * kGiB,
                                       513 * kGiB, std::uint64_t{1} << 47, space.last.value + 1);
  const std::int64_t shift =
      *rc::gen::oneOf(rc::gen::element<std::int64_t>(0, 1, -1, 512, -512, 1024, -1024),
                      rc::gen::inRange<std::int64_t>(-1100, 1100));
  const std::uint64_t length =
      *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(1, 9),
                      rc::gen::element<std::uint64_t>(511, 512, 513, 1024, 1536),
                      rc::gen::inRange<std::uint64_t>(1, 1600));
  const std::int64_t wanted = static_cast<std::int64_t>(anchor / kPageSize) + shift;
  const std::uint64_t first = std::min<std::uint64_t>(
      wanted < 0 ? 0 : static_cast<std::uint64_t>(wanted), pages_in_space - 1);
  return GpuRange::of_size({first * kPageSize},
                           std::min(length, pages_in_space - first) * kPageSize);
}

// Frames for `bytes` at `va`, in one to four pieces, often congruent to the address so that blocks
// are possible.
std::vector<PhysExtent> any_extents(GpuVa va, std::uint64_t bytes, std::uint64_t offset) {
  std::vector<PhysExtent> extents;
  std::uint64_t left = (bytes + offset) / kPageSize;
  std::uint64_t at = va.value - offset;
  for (int pieces = *rc::gen::inRange(1, 5); left != 0; --pieces) {
    std::uint64_t count = left;
    if (pieces > 1)
      count = *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(1, left + 1),
                              rc::gen::just(std::min(left, (kBlock - at % kBlock) / kPageSize)));
    const std::uint64_t base = *rc::gen::inRange<std::uint64_t>(0, 1 << 15) * kBlock;
    const std::uint64_t inside = *rc::gen::weightedElement<std::uint64_t>(
        {{4, at % kBlock},
         {1, 0},
         {1, kPageSize * *rc::gen::inRange<std::uint64_t>(0, kBlockPages)}});
    extents.push_back({{base + inside}, count * kPageSize});
    left -= count;
    at += count * kPageSize;
  }
  return extents;
}

Prot any_prot() { return static_cast<Prot>(*rc::gen::inRange<std::uint32_t>(0, 8)); }

class World {
 public:
  World(std::uint32_t va_bits, ArenaTableAllocator& arena, const emu::Dram& dram,
        TableMetadata& metadata)
      : arena_(arena),
        dram_(dram),
        table_(*ArmLpaeS1Table::create({va_bits, 40, kPageSize | kBlock}, metadata, accounting_)) {}
  ~World() {
    table_.destroy(accounting_);
    arena_.after_flush();
    // Not RC_ASSERT, which throws.
    EXPECT_EQ(accounting_.outstanding(), 0u);
  }
  GpuRange space() const { return table_.space(); }

  void map(GpuRange range, const std::vector<PhysExtent>& extents, std::uint64_t offset,
           Prot prot) {
    const auto before = raw().read_all();
    const MapProgress progress =
        table_.map(range, ExtentCursor(extents, offset), prot, accounting_);
    if (model_.any(range)) {
      RC_ASSERT(progress.error == Errno::kExist);
      RC_ASSERT(progress.mapped == 0u);
      RC_ASSERT(same(before, raw().read_all()));
      return;
    }
    if (progress.error) {
      RC_ASSERT(*progress.error == Errno::kNoMem);
      RC_ASSERT(faults_.refused() > 0u);
      RC_ASSERT(progress.mapped < range.size());
      if (progress.mapped != 0) {
        const GpuRange part = GpuRange::of_size(range.first, progress.mapped);
        // What is there is right as far as it goes, and going back needs no page.
        for (std::uint64_t at = 0; at < part.size(); at += kPageSize)
          RC_ASSERT(table_.walk(part.first + at).has_value());
        faults_.allow(0);
        RC_ASSERT(table_.unmap(part, accounting_).value_or(0) == progress.mapped);
      }
      RC_ASSERT(same(before, raw().read_all()));
      return;
    }
    RC_ASSERT(progress.mapped == range.size());
    model_.map(range, extents, offset, prot);
  }

  void unmap(GpuRange range) {
    RC_ASSERT(table_.footprint(range) == model_.footprint(range));
    const Result<std::uint64_t> bytes = table_.unmap(range, accounting_);
    if (!bytes) {
      RC_ASSERT(bytes.error() == Errno::kNoMem);
      RC_ASSERT(faults_.refused() > 0u);
      // One edge may have been split already: same pages, one block less.
      model_.blocks.clear();
      for (const RawLeaf& leaf : raw().read_all().leaves)
        if (leaf.size == kBlock) model_.blocks.insert(leaf.va);
      return;
    }
    RC_ASSERT(*bytes == model_.unmap(range));
  }

  // Unmaps and maps under one flush, as a bind does.
  void replace(GpuRange range, const std::vector<PhysExtent>& extents, std::uint64_t offset,
               Prot prot) {
    const auto tables = raw().read_all().tables;
    const std::uint64_t frees = accounting_.frees();
    const Result<std::uint64_t> bytes = table_.clear(range, accounting_);
    if (!bytes) {
      RC_ASSERT(bytes.error() == Errno::kNoMem);
      model_.blocks.clear();
      for (const RawLeaf& leaf : raw().read_all().leaves)
        if (leaf.size == kBlock) model_.blocks.insert(leaf.va);
      return;
    }
    RC_ASSERT(accounting_.frees() == frees);
    const auto kept = raw().read_all().tables;
    for (const std::uint64_t table : tables)
      RC_ASSERT(std::ranges::find(kept, table) != kept.end());
    RC_ASSERT(*bytes == model_.unmap(range));
    const MapProgress progress =
        table_.map(range, ExtentCursor(extents, offset), prot, accounting_);
    if (progress.error) {
      RC_ASSERT(*progress.error == Errno::kNoMem);
      RC_ASSERT(table_.unmap(range, accounting_).value_or(0) == progress.mapped);
      return;
    }
    model_.map(range, extents, offset, prot);
  }

  // What stands at both ends of it, as who is about to edit it asks: the edit starts from there.
  void ask(GpuRange range) {
    using Standing = ArmLpaeS1Table::Standing;
    for (const GpuVa va : {range.first, range.last}) {
      const GpuVa block{align_down(va.value, kBlock)};
      const Standing expected = model_.blocks.contains(block.value)            ? Standing::kLeaf
                                : model_.any(GpuRange::of_size(block, kBlock)) ? Standing::kTable
                                                                               : Standing::kNothing;
      RC_ASSERT(table_.standing(TableWindow::around(va, 0)) == expected);
    }
  }

  void allow(std::uint64_t pages) { faults_.allow(pages); }

  void check() {
    arena_.after_flush();
    const RawTable::Contents contents = raw().read_all();
    RC_ASSERT(contents.empty_tables == 0u);
    RC_ASSERT(contents.bad_entries == 0u);
    RC_ASSERT(contents.tables.size() == accounting_.outstanding());
    std::uint32_t counted = 0;
    for (const std::uint32_t tables : table_.tables_by_level()) counted += tables;
    RC_ASSERT(counted == contents.tables.size());
    RC_ASSERT(table_.tables_by_level()[0] == 1u);

    std::set<std::uint64_t> blocks;
    auto expected = model_.pages.begin();
    for (const RawLeaf& leaf : contents.leaves) {
      if (leaf.size == kBlock) blocks.insert(leaf.va);
      for (std::uint64_t at = 0; at < leaf.size; at += kPageSize, ++expected) {
        RC_ASSERT(expected != model_.pages.end());
        RC_ASSERT(expected->first == leaf.va + at);
        RC_ASSERT(expected->second.frame == leaf.frame() + at);
        RC_ASSERT(leaf.attributes() == attributes(expected->second.prot));
      }
    }
    RC_ASSERT(expected == model_.pages.end());
    RC_ASSERT(blocks == model_.blocks);

    // Our own readers agree with the device's view.
    std::size_t n = 0;
    table_.for_each_leaf(table_.space(), [&](const Leaf& leaf) {
      RC_ASSERT(n < contents.leaves.size());
      RC_ASSERT(leaf.range == GpuRange::of_size({contents.leaves[n].va}, contents.leaves[n].size));
      RC_ASSERT(leaf.frame.value == contents.leaves[n].frame());
      ++n;
    });
    RC_ASSERT(n == contents.leaves.size());
    const GpuRange part = any_range(table_.space());
    std::uint64_t pages = 0;
    table_.for_each_leaf(part, [&](const Leaf& leaf) {
      RC_ASSERT(leaf.range.intersects(part));
      for (std::uint64_t va = leaf.range.first.value; va <= leaf.range.last.value; va += kPageSize)
        if (part.contains(GpuVa{va})) ++pages;
    });
    std::uint64_t expected_pages = 0;
    for (auto at = model_.pages.lower_bound(part.first.value);
         at != model_.pages.end() && at->first <= part.last.value; ++at)
      ++expected_pages;
    RC_ASSERT(pages == expected_pages);
    for (const std::uint64_t va : {part.first.value, part.last.value}) {
      const std::optional<Leaf> leaf = table_.walk({va});
      const auto page = model_.pages.find(align_down(va, kPageSize));
      RC_ASSERT(leaf.has_value() == (page != model_.pages.end()));
      if (!leaf) continue;
      RC_ASSERT((leaf->frame + (align_down(va, kPageSize) - leaf->range.first.value)).value ==
                page->second.frame);
      RC_ASSERT(leaf->prot == page->second.prot);
    }
  }

 private:
  RawTable raw() const { return RawTable(dram_, table_.root(), 4 - table_.config().levels()); }
  static bool same(const RawTable::Contents& a, const RawTable::Contents& b) {
    if (a.tables != b.tables || a.leaves.size() != b.leaves.size()) return false;
    for (std::size_t i = 0; i < a.leaves.size(); ++i)
      if (a.leaves[i].va != b.leaves[i].va || a.leaves[i].entry != b.leaves[i].entry) return false;
    return true;
  }
  // From the architecture, not from the writer's constants.
  static std::uint64_t attributes(Prot prot) {
    std::uint64_t bits = has(prot, Prot::kUncached) ? 0xe40 : 0xf44;
    if (has(prot, Prot::kReadOnly)) bits |= 0x80;
    if (has(prot, Prot::kNoExec)) bits |= std::uint64_t{3} << 53;
    return bits;
  }

  ArenaTableAllocator& arena_;
  emu::Dram dram_;
  FaultInjectingAllocator faults_{arena_, UINT64_MAX};
  AccountingAllocator accounting_{faults_};
  ArmLpaeS1Table table_;
  Model model_;
};

class RadixTableModel : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(RadixTableModel, AnySequenceOfMapsAndUnmaps) {
  TestDram memory(16 * kMiB);
  ArenaTableAllocator arena(memory.dram());
  TableMetadata metadata(memory.dram());
  EXPECT_TRUE(rc::check([&] {
    World world(GetParam(), arena, memory.dram(), metadata);
    const int steps = *rc::gen::inRange(1, 25);
    for (int i = 0; i < steps; ++i) {
      const GpuRange range = any_range(world.space());
      const bool starved = *rc::gen::weightedElement<bool>({{4, false}, {1, true}});
      if (*rc::gen::arbitrary<bool>()) world.ask(range);
      world.allow(starved ? *rc::gen::inRange<std::uint64_t>(0, 6) : UINT64_MAX);
      if (*rc::gen::inRange(0, 5) < 3) {
        const std::uint64_t offset = std::min(
            range.first.value, kPageSize * *rc::gen::element<std::uint64_t>(0, 0, 1, 511, 512));
        const auto extents = any_extents(range.first, range.size(), offset);
        if (*rc::gen::arbitrary<bool>())
          world.map(range, extents, offset, any_prot());
        else
          world.replace(range, extents, offset, any_prot());
      } else {
        world.unmap(range);
      }
      world.check();
    }
  }));
  EXPECT_EQ(arena.available(), memory.dram().size / kPageSize);
}

INSTANTIATE_TEST_SUITE_P(VaBits, RadixTableModel, ::testing::Values(48u, 39u, 33u, 30u));

}  // namespace
}  // namespace pantry::driver
