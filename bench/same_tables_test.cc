// SPDX-License-Identifier: MIT
//
// The comparison is honest only if both sides do the same: after any sequence of maps and unmaps,
// our table and Linux's hold the same leaves, bit for bit, at the same addresses.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

#include "bench/table_pair.h"
#include "driver/iopgtable/raw_table.h"

namespace pantry::bench {
namespace {

using driver::RawLeaf;
using driver::RawTable;

std::vector<RawLeaf> leaves_at(const emu::Dram& dram, PhysAddr root) {
  const RawTable::Contents contents = RawTable(dram, root, 0).read_all();
  EXPECT_EQ(contents.bad_entries, 0u);
  return contents.leaves;
}

void expect_same_leaves(TablePair& pair) {
  const auto ours = leaves_at(pair.dram(), pair.ours().root());
  const auto theirs = leaves_at(pair.dram(), {pair.theirs().root});
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(ours[i].va, theirs[i].va);
    ASSERT_EQ(ours[i].size, theirs[i].size) << std::hex << ours[i].va;
    ASSERT_EQ(ours[i].entry, theirs[i].entry) << std::hex << ours[i].va;
  }
}

// Linux must not be asked to unmap what is not mapped, so it is told of each leaf.
void unmap_both(TablePair& pair, GpuRange range) {
  std::vector<GpuRange> mapped;
  pair.ours().for_each_leaf(range, [&](const driver::Leaf& leaf) {
    mapped.push_back(
        {std::max(leaf.range.first, range.first), std::min(leaf.range.last, range.last)});
  });
  TablePair::refill(pair.our_pages(), 8);
  ASSERT_TRUE(pair.ours().unmap(range, pair.our_pages()).has_value());
  for (const GpuRange part : mapped) {
    TablePair::refill(pair.their_pages(), 8);
    pair.unmap_theirs(part.first, part.size());
  }
}

RC_GTEST_PROP(SameTables, AfterAnySequenceOfMapsAndUnmaps, ()) {
  if (!linux_peer_installed()) GTEST_SKIP() << "linux-source-6.12 is not installed";
  TablePair pair(kMiB);                        // table pages only
  constexpr std::uint64_t kSpacePages = 4096;  // 16 MiB around a 1 GiB boundary
  const GpuVa base{kGiB - kSpacePages / 2 * kPageSize};
  const int steps = *rc::gen::inRange(1, 24);
  for (int step = 0; step < steps; ++step) {
    const auto first = *rc::gen::inRange<std::uint64_t>(0, kSpacePages);
    const auto wish = *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(1, 40),
                                      rc::gen::inRange<std::uint64_t>(400, 2100));
    const auto count = std::min(wish, kSpacePages - first);
    const GpuRange range = GpuRange::of_size(base + first * kPageSize, count * kPageSize);
    unmap_both(pair, range);
    if (*rc::gen::inRange(0, 3) == 0) {
      expect_same_leaves(pair);
      continue;
    }
    const auto prot = static_cast<Prot>(*rc::gen::inRange<std::uint32_t>(0, 8));
    // As often as not, frames that allow the blocks which the addresses allow.
    const std::uint64_t skew = *rc::gen::element<std::uint64_t>(0, 1);
    const PhysAddr frame{64 * kGiB + (first + skew) * kPageSize};
    const PhysExtent extent{frame, range.size()};
    TablePair::refill(pair.our_pages(), 16);
    TablePair::refill(pair.their_pages(), 16);
    ASSERT_EQ(pair.ours().map(range, ExtentCursor({&extent, 1}, 0), prot, pair.our_pages()).error,
              std::nullopt);
    pair.map_theirs(range.first, frame, range.size(), TablePair::linux_prot(prot));
    expect_same_leaves(pair);
  }
  for (std::uint64_t page = 0; page < kSpacePages; ++page) {
    const GpuVa va = base + page * kPageSize + 0x123;
    const auto leaf = pair.ours().walk(va);
    const std::uint64_t expected =
        leaf ? leaf->frame.value + (va - leaf->range.first) : std::uint64_t{0};
    ASSERT_EQ(pair.theirs().iova_to_phys(pair.theirs().ops, va.value), expected);
  }
}

}  // namespace
}  // namespace pantry::bench
