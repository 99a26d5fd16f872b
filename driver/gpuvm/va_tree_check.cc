// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_tree.h"

namespace pantry::driver {

namespace {

using Key = VaNode::Key;

class Checker {
 public:
  explicit Checker(std::uint32_t levels) { shape.levels = levels; }

  // Every key under `node` must be above `low` and at most `high`.
  void check(const VaNode& node, std::uint32_t level, Key low, Key high) {
    ++shape.nodes;
    PANTRY_CHECK(node.count <= VaNode::kWidth);
    const bool is_root = level + 1 == shape.levels;
    PANTRY_CHECK(node.count >= (!is_root ? VaNode::kLeast : level == 0 ? 1 : 2));
    for (std::uint32_t slot = node.count; slot < VaNode::kWidth; ++slot)
      PANTRY_CHECK(node.keys[slot] == VaNode::kNoKey);
    if (level == 0)
      check_leaf(node, low, high);
    else
      check_inner(node, level, low, high);
  }

  VaTree::Shape shape;

 private:
  void check_leaf(const VaNode& node, Key low, Key high) {
    ++shape.leaves;
    shape.mappings += node.count;
    for (std::uint32_t slot = 0; slot < node.count; ++slot) {
      const auto [first, vma] = node.mapped[slot];
      PANTRY_CHECK(node.keys[slot] > low && node.keys[slot] <= high);
      PANTRY_CHECK(vma->linked());
      PANTRY_CHECK(vma->range() ==
                   (GpuRange{{first}, {static_cast<std::uint64_t>(node.keys[slot])}}));
      PANTRY_CHECK(static_cast<Key>(first) > last_ && static_cast<Key>(first) <= node.keys[slot]);
      last_ = node.keys[slot];
    }
  }

  void check_inner(const VaNode& node, std::uint32_t level, Key low, Key high) {
    PANTRY_CHECK(node.keys[node.count - 1] == VaNode::kNoKey);
    for (std::uint32_t slot = 0; slot < node.count; ++slot) {
      const bool is_last = slot + 1 == node.count;
      const Key bound = is_last ? high : node.keys[slot];
      PANTRY_CHECK(bound > low && bound <= high);
      check(*node.children[slot], level - 1, low, bound);
      low = bound;
    }
  }

  Key last_ = -1;  // the last address of the mapping before
};

}  // namespace

VaTree::Shape VaTree::check() const noexcept {
  Checker checker(levels_);
  if (levels_ != 0) checker.check(*root_, levels_ - 1, -1, VaNode::kNoKey);
  PANTRY_CHECK(checker.shape.mappings == mappings_);
  return checker.shape;
}

}  // namespace pantry::driver
