// SPDX-License-Identifier: MIT
//
// The mappings of a VA space in address order, in a B+-tree (va_node.h). Mappings never overlap, so
// an ordered tree is enough: the first one that touches a range is the first whose last address is
// not below it, which is what the tree is searched by.
//
// Mappings are values, and move within the leaves. Allocates and frees nothing: nodes come from the
// VaReserve of the operation and go back to it. No lock of its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "driver/gpuvm/va_mapping.h"
#include "driver/gpuvm/va_node_pool.h"
#include "driver/gpuvm/va_search.h"

namespace pantry::driver {

class VaTree {
 public:
  // A mapping in the tree, or the end of it. Good until the tree is changed other than through it.
  class Cursor {
   public:
    // False at the end.
    explicit operator bool() const {
      const auto& [node, slot] = path_[0];
      return node && slot < VaNode::kLeafWidth && node->leaf.keys[slot] != VaNode::kNoKey;
    }
    // Pre: not at the end.
    GpuRange range() const {
      const auto& [node, slot] = path_[0];
      return node->leaf.records[slot].range(node->leaf.keys[slot]);
    }
    VaMapping mapping() const {
      const auto& [node, slot] = path_[0];
      return node->leaf.records[slot].get(node->leaf.keys[slot]);
    }

   private:
    friend class VaTree;
    Cursor() { path_[0] = {nullptr, 0}; }
    // From the leaf (no node: the tree is empty) to the root; only the tree's levels are valid.
    std::array<VaStep, kMostVaLevels> path_;
  };

  explicit VaTree(VaSearch search = fastest_va_search()) noexcept
      : descend_(descent(search)), look_up_(lookup(search)) {}
  // Empty by then (CHECK).
  ~VaTree() { PANTRY_CHECK(empty()); }
  VaTree(const VaTree&) = delete;
  VaTree& operator=(const VaTree&) = delete;

  bool empty() const noexcept { return mappings_ == 0; }
  std::uint64_t mappings() const noexcept { return mappings_; }

  // The mapping at `va`, if there is one.
  std::optional<VaMapping> find(GpuVa va) const noexcept;
  // At the first mapping whose last address is not below `va`.
  Cursor seek(GpuVa va) const noexcept;
  // Pre: not at the end.
  void advance(Cursor& at) const noexcept;

  // Puts `mapping` in before the cursor, which is at it afterwards. Pre: it fits between its
  // neighbours (CHECK).
  void insert(Cursor& at, const VaMapping& mapping, VaReserve& nodes) noexcept;
  // Puts `part` in place of the mapping at the cursor, in whose range it lies.
  void replace(Cursor& at, const VaMapping& part) noexcept;
  // Puts both in place of the mapping at the cursor, which is at `right` afterwards.
  void replace(Cursor& at, const VaMapping& left, const VaMapping& right,
               VaReserve& nodes) noexcept;
  // Takes the mapping at the cursor out; the cursor is at the next one afterwards.
  void erase(Cursor& at, VaReserve& nodes) noexcept;

  // For tests and reports: walks the whole tree, and checks (CHECK) that mappings and bounds are
  // in order, and that no node is emptier than it may be.
  struct Shape {
    std::uint32_t levels = 0;
    std::uint64_t nodes = 0;
    std::uint64_t leaves = 0;
    std::uint64_t mappings = 0;
  };
  Shape check() const noexcept;

 private:
  // Behind the last slot of a leaf is the first of the next leaf, if there is one.
  void settle(Cursor& at) const noexcept {
    if (!at) turn_to_next_leaf(at);
  }
  void turn_to_next_leaf(Cursor& at) const noexcept;
  bool shift(Cursor& at, std::uint32_t level) noexcept;
  void make_room(Cursor& at, std::uint32_t level, VaReserve& nodes) noexcept;
  void refill(Cursor& at, VaReserve& nodes) noexcept;
  void set_bound_before(const Cursor& at, VaNode::Key bound) const noexcept;
  void raise_bound_after(const Cursor& at, VaNode::Key key) const noexcept;

  const VaDescent descend_;
  const VaLookup look_up_;
  VaNode* root_ = nullptr;
  std::uint32_t levels_ = 0;  // 0: no root; 1: the root is a leaf
  std::uint64_t mappings_ = 0;
};

}  // namespace pantry::driver
