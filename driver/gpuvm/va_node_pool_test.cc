// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_node_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace pantry::driver {
namespace {

VaReserve complete(VaNodePool& pool) {
  VaReserve nodes = VaReserve::for_operation(pool);
  while (nodes.incomplete()) EXPECT_TRUE(pool.grow());
  return nodes;
}

TEST(VaNodeCounts, OfTheEmptiestTree) {
  EXPECT_EQ(most_va_nodes(0), 0u);
  EXPECT_EQ(most_va_nodes(1), 1u);
  EXPECT_EQ(most_va_nodes(63), 1u);
  EXPECT_EQ(most_va_nodes(64), 2u + 1u);
  EXPECT_EQ(most_va_nodes(96 * 32 - 1), 95u + 1u);
  EXPECT_EQ(most_va_nodes(96 * 32), 96u + 2u + 1u);
  EXPECT_EQ(least_va_mappings(1, 64), 64u);
  EXPECT_EQ(least_va_mappings(2, 96), 96u * 32u);
  EXPECT_EQ(least_va_mappings(3, 2), 2u * 48u * 32u);
  EXPECT_EQ(kMostVaLevels, 7u);
}

TEST(VaNodePool, ASmallTreeNeedsFewNodes) {
  VaNodePool pool(VaNodePool::Growth::kByOne);
  const VaReserve nodes = complete(pool);
  EXPECT_EQ(pool.statistics().free, 1u);
  EXPECT_EQ(pool.statistics().operations, 1u);
}

TEST(VaNodePool, ManyOperationsShareWhatTheLargestTreeOfThemTakes) {
  VaNodePool pool(VaNodePool::Growth::kByOne);
  std::vector<VaReserve> queue;
  for (int i = 0; i < 3200; ++i) queue.push_back(complete(pool));
  // 6,400 mappings: 200 leaves, 4 nodes above them, and a root.
  EXPECT_EQ(pool.statistics().free, 205u);
}

TEST(VaNodePool, ALargeTreeNeedsSevenNodesPerOperation) {
  VaNodePool pool(VaNodePool::Growth::kByOne);
  std::uint64_t mappings = 0;
  std::vector<VaNode*> tree;
  // Operations that leave a tree with all nodes full.
  while (tree.size() < 1000) {
    VaReserve nodes = complete(pool);
    tree.push_back(&nodes.take());
    mappings += VaNode::kLeafWidth;
    nodes.finish(mappings);
  }
  {
    std::vector<VaReserve> queue;
    const std::uint64_t kept = pool.statistics().free;
    for (int i = 0; i < 20; ++i) queue.push_back(complete(pool));
    EXPECT_LE(kept, kVaNodesPerOp);
    EXPECT_EQ(pool.statistics().free, 20u * kVaNodesPerOp);
    EXPECT_EQ(pool.statistics().used, 1000u);
  }
  // Nobody needs them any more.
  EXPECT_EQ(pool.statistics().operations, 0u);
  EXPECT_EQ(pool.statistics().free, VaNodePool::kKept);
  VaReserve nodes = VaReserve::for_removal(pool);
  for (VaNode* node : tree) nodes.give(*node);
  nodes.finish(0);
  EXPECT_EQ(pool.statistics().used, 0u);
  EXPECT_EQ(pool.statistics().free, VaNodePool::kKept + 1000u) << "freed before it may be";
  nodes = VaReserve();
  EXPECT_EQ(pool.statistics().free, VaNodePool::kKept);
}

TEST(VaNodePool, AMovedClaimIsOneClaim) {
  VaNodePool pool(VaNodePool::Growth::kByOne);
  VaReserve first = complete(pool);
  VaReserve second = std::move(first);
  EXPECT_EQ(pool.statistics().operations, 1u);
  VaReserve third = complete(pool);
  EXPECT_EQ(pool.statistics().operations, 2u);
  third = std::move(second);
  EXPECT_EQ(pool.statistics().operations, 1u);
  third.finish(0);
  EXPECT_EQ(pool.statistics().operations, 0u);
}

TEST(VaNodePool, AnOperationUsesWhatItFreedFirst) {
  VaNodePool pool(VaNodePool::Growth::kByOne);
  VaReserve build = complete(pool);
  VaNode& node = build.take();
  build.finish(1);
  VaReserve nodes = complete(pool);
  nodes.give(node);
  EXPECT_EQ(&nodes.take(), &node);
  EXPECT_EQ(nodes.taken(), 0u);
  nodes.give(node);
  nodes.finish(0);
}

// What tests take one by one comes in slabs elsewhere: small ones first, and all but kKept goes
// back.
TEST(VaNodePool, GrowsWithTheTree) {
  VaNodePool pool;
  std::vector<VaNode*> tree;
  std::uint64_t largest_step = 0;
  while (tree.size() < 5000) {
    const std::uint64_t before = pool.statistics().free;
    VaReserve nodes = complete(pool);
    const std::uint64_t step = pool.statistics().free - before;
    EXPECT_LT(step, tree.size() < 300 ? 20u : 2 * VaSlab::kLargeNodes);
    largest_step = std::max(largest_step, step);
    tree.push_back(&nodes.take());
    nodes.finish(tree.size() * VaNode::kLeafWidth);
  }
  EXPECT_EQ(largest_step, VaSlab::kLargeNodes);
  VaReserve nodes = VaReserve::for_removal(pool);
  for (VaNode* node : tree) nodes.give(*node);
  nodes.finish(0);
  nodes = VaReserve();
  EXPECT_LE(pool.statistics().free, VaNodePool::kKept + VaSlab::kLargeNodes);
}

TEST(VaNodePoolDeathTest, MoreThanWasLaidInIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        VaNodePool pool(VaNodePool::Growth::kByOne);
        for (std::uint32_t i = 0; i < 2 * kVaNodesPerOp; ++i) static_cast<void>(pool.grow());
        VaReserve nodes = complete(pool);
        for (std::uint32_t i = 0; i <= kVaNodesPerOp; ++i) nodes.take();
      },
      "taken_ < kVaNodesPerOp");
  EXPECT_DEATH(
      {
        VaNodePool pool(VaNodePool::Growth::kByOne);
        static_cast<void>(pool.grow());
        VaReserve::for_removal(pool).take();
      },
      "Claim::kOpen");
}

}  // namespace
}  // namespace pantry::driver
