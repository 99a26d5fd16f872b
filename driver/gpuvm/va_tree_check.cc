// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_tree.h"

namespace pantry::driver {

namespace {

using Key = VaNode::Key;

class Checker {
 public:
  explicit Checker(std::uint32_t levels) { shape.levels = levels; }

  // Every address that is mapped under `node` must be above `low` and at most `high`.
  void check(VaNode& node, std::uint32_t level, Key low, Key high) {
    ++shape.nodes;
    const VaNodeKind kind = level == 0 ? VaNodeKind::kLeaf : VaNodeKind::kInner;
    const bool is_root = level + 1 == shape.levels;
    PANTRY_CHECK(node.count <= VaNode::width(kind));
    PANTRY_CHECK(node.count >= (!is_root ? VaNode::least(kind) : level == 0 ? 1 : 2));
    for (std::uint32_t slot = node.count; slot < VaNode::width(kind); ++slot)
      PANTRY_CHECK(node.keys(kind)[slot] == VaNode::kNoKey);
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
      const Key key = node.leaf.keys[slot];
      const GpuRange range = node.leaf.records[slot].range(key);
      const auto first = static_cast<Key>(range.first.value);
      PANTRY_CHECK(first > low && key <= high);
      PANTRY_CHECK(first > last_ && first <= key);
      last_ = static_cast<Key>(range.last.value);
    }
  }

  void check_inner(VaNode& node, std::uint32_t level, Key low, Key high) {
    PANTRY_CHECK(node.inner.keys[node.count - 1] == VaNode::kNoKey);
    for (std::uint32_t slot = 0; slot < node.count; ++slot) {
      const bool is_last = slot + 1 == node.count;
      const Key bound = is_last ? high : node.inner.keys[slot];
      PANTRY_CHECK(bound > low && bound <= high);
      check(*node.inner.children[slot], level - 1, low, bound);
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
