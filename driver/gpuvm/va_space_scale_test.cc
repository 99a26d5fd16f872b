// SPDX-License-Identifier: MIT
//
// The VA space where the tree has many nodes: against a naive model, with every kind of search,
// with operations that were prepared long before they run, and with a million mappings.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "driver/gpuvm/va_space.h"

namespace pantry::driver {
namespace {

GpuRange pages(std::uint64_t first, std::uint64_t count) {
  return GpuRange::of_size({first * kPageSize}, count * kPageSize);
}

class Mapper final : public StepVisitor {
 public:
  Done<UnmapStep> unmap(UnmapStep step) noexcept override {
    --references;
    return std::move(step).remove();
  }
  Done<KeepLeftStep> keep_left(KeepLeftStep step) noexcept override {
    return std::move(step).keep();
  }
  Done<KeepRightStep> keep_right(KeepRightStep step) noexcept override {
    return std::move(step).keep();
  }
  Done<KeepBothStep> keep_both(KeepBothStep step) noexcept override {
    ++references;
    return std::move(step).keep();
  }
  Done<MapStep> map(MapStep step) noexcept override {
    ++references;
    return std::move(step).insert();
  }
  std::uint64_t references = 0;
};

// What a space should hold, by first address.
class Model {
 public:
  void unmap(GpuRange range) {
    auto at = all_.lower_bound(range.first);
    if (at != all_.begin() && std::prev(at)->second.range.last >= range.first) --at;
    while (at != all_.end() && at->first <= range.last) {
      const VaMapping old = at->second;
      at = all_.erase(at);
      if (old.range.first < range.first) put(old.slice({old.range.first, range.first - 1}));
      if (old.range.last > range.last) put(old.slice({range.last + 1, old.range.last}));
    }
  }
  void map(const VaMapping& mapping) {
    unmap(mapping.range);
    put(mapping);
  }
  std::optional<VaMapping> find(GpuVa va) const {
    const auto at = all_.upper_bound(va);
    if (at == all_.begin() || !std::prev(at)->second.range.contains(va)) return std::nullopt;
    return std::prev(at)->second;
  }
  std::vector<VaMapping> in(GpuRange range) const {
    std::vector<VaMapping> found;
    for (const auto& [first, mapping] : all_)
      if (mapping.range.intersects(range)) found.push_back(mapping);
    return found;
  }
  std::size_t size() const { return all_.size(); }

 private:
  void put(const VaMapping& mapping) { all_[mapping.range.first] = mapping; }
  std::map<GpuVa, VaMapping> all_;
};

// A space and its nodes, which it empties in the end.
class Rig {
 public:
  using Growth = VaNodePool::Growth;
  Rig(GpuRange whole, VaSearch search, Growth growth) : pool(growth), space(whole, search) {}
  ~Rig() {
    VaReserve nodes = VaReserve::for_removal(pool);
    space.unmap(space.whole(), nodes, mapper);
    EXPECT_TRUE(space.empty());
    EXPECT_EQ(pool.statistics().used, 0u);
    EXPECT_EQ(pool.statistics().mappings, 0u);
    EXPECT_EQ(mapper.references, 0u);
  }
  VaReserve reserve() {
    VaReserve nodes = VaReserve::for_operation(pool);
    while (nodes.incomplete()) EXPECT_TRUE(pool.grow());
    return nodes;
  }
  void map(const VaMapping& mapping) {
    VaReserve nodes = reserve();
    space.map(mapping, nodes, mapper);
  }
  void unmap(GpuRange range) {
    VaReserve nodes = reserve();
    space.unmap(range, nodes, mapper);
  }
  // The tree is in order, no node is lost, and the pool has what operations to come need.
  bool sound() const {
    const VaTree::Shape shape = space.check_tree();
    const VaNodeStatistics nodes = pool.statistics();
    return shape.nodes == nodes.used && shape.mappings == nodes.mappings &&
           shape.mappings == mapper.references && shape.nodes <= most_va_nodes(shape.mappings) &&
           nodes.free >= nodes.needed();
  }
  std::vector<VaMapping> in(GpuRange range) const {
    std::vector<VaMapping> found;
    space.for_each(range, [&](const VaMapping& mapping) { found.push_back(mapping); });
    return found;
  }

  VaNodePool pool;
  VaSpace space;
  Mapper mapper;
};

VaSearch any_search() {
  std::vector<VaSearch> all;
  for (const VaSearch search : {VaSearch::kPortable, VaSearch::kAvx2, VaSearch::kAvx512})
    if (available(search)) all.push_back(search);
  return *rc::gen::elementOf(all);
}

// Where the mappings of the beginning are put, one after the other.
std::vector<std::uint64_t> any_order(std::uint64_t count) {
  std::vector<std::uint64_t> order(count);
  for (std::uint64_t i = 0; i < count; ++i) order[i] = i;
  switch (*rc::gen::inRange(0, 3)) {
    case 0:
      break;
    case 1:
      std::ranges::reverse(order);
      break;
    default:
      std::ranges::shuffle(order, std::mt19937_64(*rc::gen::arbitrary<std::uint64_t>()));
  }
  return order;
}

struct Op {
  bool map = false;
  int reach = 0;  // 0: pages; 1: a few mappings; 2: a few leaves; 3: anything
  std::uint64_t first = 0, count = 0;
  std::uint64_t offset = 0;
  std::uint32_t flags = 0;
  GpuRange range(std::uint64_t whole) const {
    constexpr std::uint64_t kReach[] = {3, 30, 3000};
    const std::uint64_t start = first % whole;
    const std::uint64_t most = reach < 3 ? kReach[reach] : whole;
    return pages(start, std::min(1 + count % most, whole - start));
  }
};

rc::Gen<Op> ops() {
  return rc::gen::noShrink(rc::gen::build<Op>(
      rc::gen::set(&Op::map, rc::gen::element(true, true, false)),
      rc::gen::set(&Op::reach, rc::gen::weightedElement<int>({{20, 0}, {8, 1}, {2, 2}, {1, 3}})),
      rc::gen::set(&Op::first, rc::gen::inRange<std::uint64_t>(0, 1 << 20)),
      rc::gen::set(&Op::count, rc::gen::inRange<std::uint64_t>(0, 1 << 20)),
      rc::gen::set(&Op::offset, rc::gen::inRange<std::uint64_t>(0, 1 << 20)),
      rc::gen::set(&Op::flags, rc::gen::inRange(0u, 3u))));
}

TEST(VaSpaceAtScale, AgreesWithAnOrderedMap) {
  EXPECT_TRUE(rc::check([] {
    const std::uint64_t filled = *rc::gen::inRange<std::uint64_t>(0, 8000);
    const std::uint64_t whole = 4 * filled + 64;
    Rig rig(pages(0, whole), any_search(), Rig::Growth::kBySize);
    Model model;
    int object = 0;
    for (const std::uint64_t at : any_order(filled)) {
      const VaMapping mapping{pages(4 * at + 1, 3), &object, at << 32, 1};
      rig.map(mapping);
      model.map(mapping);
    }
    RC_ASSERT(rig.sound());
    const int count = *rc::gen::inRange(1, 200);
    for (int i = 0; i < count; ++i) {
      const Op op = *ops();
      const GpuRange range = op.range(whole);
      VaReserve nodes = rig.reserve();
      if (op.map) {
        const VaMapping mapping{range, &object, op.offset * kPageSize, op.flags};
        rig.space.map(mapping, nodes, rig.mapper);
        model.map(mapping);
      } else {
        rig.space.unmap(range, nodes, rig.mapper);
        model.unmap(range);
      }
      RC_ASSERT(nodes.taken() <= kVaNodesPerOp);
      RC_ASSERT(rig.sound());
      RC_ASSERT(rig.space.check_tree().mappings == model.size());
      // Where it happened, with what lies around.
      const GpuRange around{
          {range.first.value - std::min(range.first.value, 9 * kPageSize)},
          {std::min(range.last.value + 9 * kPageSize, rig.space.whole().last.value)}};
      RC_ASSERT(rig.in(around) == model.in(around));
      const GpuVa va{*rc::gen::inRange<std::uint64_t>(0, whole) * kPageSize + 0x10};
      RC_ASSERT(rig.space.find(va) == model.find(va));
    }
    RC_ASSERT(rig.in(rig.space.whole()) == model.in(rig.space.whole()));
  }));
}

// Operations are prepared, and run later in any order, or never: the pool has nodes for each, from
// the moment at which it was prepared.
TEST(VaSpaceAtScale, PreparedOperationsNeverRunOutOfNodes) {
  EXPECT_TRUE(rc::check([] {
    const std::uint64_t filled = *rc::gen::inRange<std::uint64_t>(0, 6000);
    const std::uint64_t whole = 4 * filled + 4096;
    Rig rig(pages(0, whole), any_search(), Rig::Growth::kByOne);
    int object = 0;
    for (const std::uint64_t at : any_order(filled))
      rig.map({pages(4 * at, 3), &object, at << 32, 1});
    std::vector<VaReserve> prepared;
    std::vector<Op> queue;
    const int count = *rc::gen::inRange(1, 300);
    for (int i = 0; i < count; ++i) {
      if (prepared.empty() || *rc::gen::inRange(0, 5) < 3) {
        prepared.push_back(rig.reserve());
        queue.push_back(*ops());
      } else {
        const auto chosen = *rc::gen::inRange<std::size_t>(0, prepared.size());
        VaReserve nodes = std::move(prepared[chosen]);
        const Op op = queue[chosen];
        prepared.erase(prepared.begin() + static_cast<std::ptrdiff_t>(chosen));
        queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(chosen));
        if (*rc::gen::inRange(0, 10) == 0) continue;  // dropped
        if (op.map)
          rig.space.map({op.range(whole), &object, 0, op.flags}, nodes, rig.mapper);
        else
          rig.space.unmap(op.range(whole), nodes, rig.mapper);
        RC_ASSERT(nodes.taken() <= kVaNodesPerOp);
      }
      RC_ASSERT(rig.sound());
      RC_ASSERT(rig.pool.statistics().operations == prepared.size());
    }
  }));
}

// From the top down, so that the path on the left is full at every level just before the root
// splits: a new node for each level, and a new root.
TEST(VaSpaceAtScale, TheMostNodesAreTakenWhenTheRootSplits) {
  Rig rig(GpuRange::of_size({0}, std::uint64_t{1} << 48), fastest_va_search(), Rig::Growth::kByOne);
  int object = 0;
  std::vector<std::uint32_t> records;  // each number of nodes that was more than ever before
  for (std::uint64_t at = 700'000; at != 0; --at) {
    VaReserve nodes = rig.reserve();
    rig.space.map({pages(at, 1), &object, 0, 0}, nodes, rig.mapper);
    if (records.empty() || nodes.taken() > records.back()) {
      records.push_back(nodes.taken());
      // One for each level that there is now, so all of the path was full.
      EXPECT_EQ(rig.space.check_tree().levels, nodes.taken());
    }
  }
  // The first leaf; then a leaf and a root; and so on.
  EXPECT_EQ(records, (std::vector<std::uint32_t>{1, 2, 3, 4}));
}

TEST(VaSpaceAtScale, AMillionMappings) {
  constexpr std::uint64_t kMappings = 1'000'000;
  Rig rig(GpuRange::of_size({0}, std::uint64_t{1} << 48), fastest_va_search(),
          Rig::Growth::kBySize);
  int object = 0;
  std::vector<std::uint64_t> order(kMappings);
  for (std::uint64_t i = 0; i < kMappings; ++i) order[i] = i;
  std::mt19937_64 random(5);
  std::ranges::shuffle(order, random);
  const auto place = [](std::uint64_t at) { return pages(32 * at, 16); };
  for (const std::uint64_t at : order) rig.map({place(at), &object, at << 20, 0});
  EXPECT_TRUE(rig.sound());
  const VaTree::Shape shape = rig.space.check_tree();
  EXPECT_EQ(shape.mappings, kMappings);
  EXPECT_GE(shape.mappings, shape.leaves * VaNode::kLeafWidth * 3 / 4)
      << "leaves as empty as splitting alone leaves them";

  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const std::uint64_t at = random() % kMappings;
    const std::optional<VaMapping> found = rig.space.find(place(at).first + 0x5000);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->offset, at << 20);
    ASSERT_FALSE(rig.space.find(place(at).last + 1));
  }
  // A hole in every third, the others replaced or taken away.
  std::ranges::shuffle(order, random);
  for (const std::uint64_t at : order) {
    const GpuRange range = place(at);
    if (at % 3 == 0) rig.unmap({range.first + 4 * kPageSize, range.first + 5 * kPageSize - 1});
    if (at % 3 == 1) rig.map({range, &object, at * kPageSize, 1});
    if (at % 3 == 2) rig.unmap(range);
  }
  EXPECT_TRUE(rig.sound());
  std::vector<VaMapping> expected;
  for (std::uint64_t at = 0; at < kMappings; ++at) {
    const VaMapping old{place(at), &object, at << 20, 0};
    if (at % 3 == 0) {
      expected.push_back(old.slice({old.range.first, old.range.first + 4 * kPageSize - 1}));
      expected.push_back(old.slice({old.range.first + 5 * kPageSize, old.range.last}));
    }
    if (at % 3 == 1) expected.push_back({old.range, &object, at * kPageSize, 1});
  }
  EXPECT_TRUE(rig.in(rig.space.whole()) == expected);

  // All at once, and nothing is kept.
  VaReserve nodes = VaReserve::for_removal(rig.pool);
  rig.space.unmap(rig.space.whole(), nodes, rig.mapper);
  EXPECT_TRUE(rig.space.empty());
  EXPECT_EQ(rig.pool.statistics().used, 0u);
  EXPECT_GT(rig.pool.statistics().free, 15'000u) << "freed in the middle of an operation";
  nodes = VaReserve();
  EXPECT_LE(rig.pool.statistics().free, VaNodePool::kKept + VaSlab::kLargeNodes);
}

}  // namespace
}  // namespace pantry::driver
