// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_search.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace pantry::driver {
namespace {

std::vector<VaSearch> searches() {
  std::vector<VaSearch> all;
  for (const VaSearch search : {VaSearch::kPortable, VaSearch::kAvx2, VaSearch::kAvx512})
    if (available(search)) all.push_back(search);
  return all;
}

std::unique_ptr<VaNode> node_with(VaNodeKind kind, const std::vector<VaNode::Key>& keys) {
  auto node = std::make_unique<VaNode>();
  std::fill_n(node->keys(kind), VaNode::width(kind), VaNode::kNoKey);
  std::ranges::copy(keys, node->keys(kind));
  node->count = static_cast<std::uint32_t>(keys.size());
  return node;
}

TEST(VaSearch, TheFastestIsAvailable) {
  EXPECT_TRUE(available(VaSearch::kPortable));
  EXPECT_TRUE(available(fastest_va_search()));
}

// A leaf, every number of keys, every place among them.
TEST(VaSearch, FindsTheFirstKeyThatIsNotBelow) {
  for (const VaSearch search : searches()) {
    SCOPED_TRACE(static_cast<int>(search));
    std::vector<VaNode::Key> keys;
    for (std::uint32_t count = 0; count <= VaNode::kLeafWidth; ++count) {
      const auto node = node_with(VaNodeKind::kLeaf, keys);
      for (std::uint32_t slot = 0; slot <= count; ++slot) {
        // Keys are 10, 20 and so on.
        for (const VaNode::Key key : {10 * slot + 1, 10 * slot + 9, 10 * slot + 10}) {
          VaStep step{};
          descent(search)(node.get(), 1, key, &step);
          EXPECT_EQ(step.node, node.get());
          EXPECT_EQ(step.slot, slot) << key << " among " << count;
          EXPECT_EQ(lookup(search)(node.get(), 1, key).slot, slot) << key << " among " << count;
        }
      }
      VaStep step{};
      descent(search)(node.get(), 1, VaNode::kNoKey, &step);
      EXPECT_EQ(step.slot, count);
      keys.push_back(10 * (count + 1));
    }
  }
}

// The same in an inner node, whose bounds are one fewer than its children.
TEST(VaSearch, FindsTheChildThatMayHoldAKey) {
  for (const VaSearch search : searches()) {
    SCOPED_TRACE(static_cast<int>(search));
    const auto leaf = node_with(VaNodeKind::kLeaf, {});
    std::vector<VaNode::Key> bounds;
    for (std::uint32_t count = 1; count <= VaNode::kInnerWidth; ++count) {
      const auto node = node_with(VaNodeKind::kInner, bounds);
      std::fill_n(node->inner.children, count, leaf.get());
      for (std::uint32_t slot = 0; slot < count; ++slot) {
        for (const VaNode::Key key : {10 * slot + 1, 10 * slot + 10}) {
          std::array<VaStep, 2> path{};
          descent(search)(node.get(), 2, key, path.data());
          EXPECT_EQ(path[0].node, leaf.get());
          EXPECT_EQ(path[1].slot, slot) << key << " among " << count;
        }
      }
      bounds.push_back(10 * count);
    }
  }
}

TEST(VaSearch, GoesDownAllLevels) {
  EXPECT_TRUE(rc::check([] {
    // Two levels of inner nodes over leaves, with keys spread over the whole space.
    constexpr std::size_t kFan = 3;
    std::vector<std::unique_ptr<VaNode>> nodes;
    std::vector<VaNode::Key> all = *rc::gen::unique<std::vector<VaNode::Key>>(
        kFan * kFan * kFan, rc::gen::inRange<VaNode::Key>(0, VaNode::Key{1} << 48));
    std::ranges::sort(all);
    std::vector<VaNode*> level;
    std::vector<VaNode::Key> bounds;  // of each node of the level
    for (std::size_t at = 0; at < all.size(); at += kFan) {
      nodes.push_back(node_with(VaNodeKind::kLeaf, {all[at], all[at + 1], all[at + 2]}));
      level.push_back(nodes.back().get());
      bounds.push_back(all[at + 2]);
    }
    std::array<VaNode*, kFan * kFan> leaves{};
    std::ranges::copy(level, leaves.begin());
    while (level.size() > 1) {
      std::vector<VaNode*> above;
      std::vector<VaNode::Key> bounds_above;
      for (std::size_t at = 0; at < level.size(); at += kFan) {
        nodes.push_back(node_with(VaNodeKind::kInner, {bounds[at], bounds[at + 1]}));
        std::copy_n(level.begin() + static_cast<std::ptrdiff_t>(at), kFan,
                    nodes.back()->inner.children);
        nodes.back()->count = kFan;
        above.push_back(nodes.back().get());
        bounds_above.push_back(bounds[at + 2]);
      }
      level = above;
      bounds = bounds_above;
    }
    const VaNode::Key key =
        *rc::gen::oneOf(rc::gen::elementOf(all), rc::gen::inRange<VaNode::Key>(0, all.back() + 1));
    const auto wanted = static_cast<std::size_t>(std::ranges::lower_bound(all, key) - all.begin());
    for (const VaSearch search : searches()) {
      std::array<VaStep, 3> path{};
      descent(search)(level[0], 3, key, path.data());
      RC_ASSERT(path[0].node == leaves[wanted / kFan]);
      RC_ASSERT(path[0].slot == wanted % kFan);
      const VaStep step = lookup(search)(level[0], 3, key);
      RC_ASSERT(step.node == path[0].node && step.slot == path[0].slot);
      RC_ASSERT(path[2].node == level[0]);
      RC_ASSERT(path[2].slot == wanted / (kFan * kFan));
      RC_ASSERT(path[1].node == level[0]->inner.children[path[2].slot]);
      RC_ASSERT(path[1].slot == wanted / kFan % kFan);
    }
  }));
}

}  // namespace
}  // namespace pantry::driver
