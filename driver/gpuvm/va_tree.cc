// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_tree.h"

#include <algorithm>
#include <cstring>

namespace pantry::driver {

namespace {

using Key = VaNode::Key;
using Kind = VaNodeKind;

Kind kind_of(std::uint32_t level) { return level == 0 ? Kind::kLeaf : Kind::kInner; }

template <class T>
void move_slots(T* to, const T* from, std::uint32_t count) {
  std::memmove(to, from, count * sizeof(T));
}

void move_values(VaNode& to, std::uint32_t at, const VaNode& from, std::uint32_t slot,
                 std::uint32_t count, Kind kind) {
  if (kind == Kind::kLeaf)
    move_slots(to.leaf.records + at, from.leaf.records + slot, count);
  else
    move_slots(to.inner.children + at, from.inner.children + slot, count);
}

VaNode& fresh(VaNode& node, Kind kind) {
  std::fill_n(node.keys(kind), VaNode::width(kind), VaNode::kNoKey);
  node.count = 0;
  return node;
}

// Moves the first `count` slots of `right` to the end of `left`, its neighbour.
void move_left(VaNode& left, VaNode& right, std::uint32_t count, Kind kind) {
  const std::uint32_t rest = right.count - count;
  Key* const right_keys = right.keys(kind);
  move_slots(left.keys(kind) + left.count, right_keys, count);
  move_values(left, left.count, right, 0, count, kind);
  move_slots(right_keys, right_keys + count, rest);
  move_values(right, 0, right, count, rest, kind);
  std::fill_n(right_keys + rest, count, VaNode::kNoKey);
  left.count += count;
  right.count = rest;
}

// Moves the last `count` slots of `left` to the front of `right`.
void move_right(VaNode& left, VaNode& right, std::uint32_t count, Kind kind) {
  const std::uint32_t rest = left.count - count;
  Key* const left_keys = left.keys(kind);
  Key* const right_keys = right.keys(kind);
  move_slots(right_keys + count, right_keys, right.count);
  move_values(right, count, right, 0, right.count, kind);
  move_slots(right_keys, left_keys + rest, count);
  move_values(right, 0, left, rest, count, kind);
  std::fill_n(left_keys + rest, count, VaNode::kNoKey);
  left.count = rest;
  right.count += count;
}

// Takes the bound of the last child out of an inner node that has got one: its parent's now.
Key cut_bound(VaNode& node, Kind kind) {
  Key& last = node.keys(kind)[node.count - 1];
  return kind == Kind::kLeaf ? last : std::exchange(last, VaNode::kNoKey);
}

// The opposite: gives child `slot` of `parent` the bound that the parent keeps for it.
void give_bound(VaNode& parent, std::uint32_t slot, Kind kind) {
  VaNode& node = *parent.inner.children[slot];
  if (kind == Kind::kInner) node.inner.keys[node.count - 1] = parent.inner.keys[slot];
}

// Divides the slots of child `slot` of `parent` and of the next one evenly between them.
void even_out(VaNode& parent, std::uint32_t slot, Kind kind) {
  VaNode& left = *parent.inner.children[slot];
  VaNode& right = *parent.inner.children[slot + 1];
  const std::uint32_t half = (left.count + right.count) / 2;
  give_bound(parent, slot, kind);
  if (left.count < half)
    move_left(left, right, half - left.count, kind);
  else
    move_right(left, right, left.count - half, kind);
  parent.inner.keys[slot] = cut_bound(left, kind);
}

// Puts a cursor on slot `place` of child `slot` of `parent`, counted on into the next child.
// Between two leaves, a new mapping comes last in the left one.
void put(VaStep& step, VaStep& above, std::uint32_t slot, std::uint32_t place, Kind kind) {
  VaNode& left = *above.node->inner.children[slot];
  if (place < left.count || (place == left.count && kind == Kind::kLeaf)) {
    step = {&left, place};
    above.slot = slot;
  } else {
    step = {above.node->inner.children[slot + 1], place - left.count};
    above.slot = slot + 1;
  }
}

void write(VaNode::Leaf& leaf, std::uint32_t slot, const VaMapping& mapping) {
  leaf.keys[slot] = va_key_of(mapping);
  leaf.records[slot].put(mapping);
}

}  // namespace

std::optional<VaMapping> VaTree::find(GpuVa va) const noexcept {
  if (levels_ == 0) return std::nullopt;
  const auto [node, slot] = look_up_(root_, levels_, va_key_for(va));
  // Behind the last slot: above this leaf's mappings, and below those of the next, as its bound is.
  if (slot == VaNode::kLeafWidth || node->leaf.keys[slot] == VaNode::kNoKey) return std::nullopt;
  const VaMapping mapping = node->leaf.records[slot].get(node->leaf.keys[slot]);
  return va < mapping.range.first ? std::nullopt : std::optional(mapping);
}

VaTree::Cursor VaTree::seek(GpuVa va) const noexcept {
  Cursor at;
  if (levels_ == 0) return at;
  descend_(root_, levels_, va_key_for(va), at.path_.data());
  settle(at);
  return at;
}

void VaTree::advance(Cursor& at) const noexcept {
  ++at.path_[0].slot;
  settle(at);
}

void VaTree::turn_to_next_leaf(Cursor& at) const noexcept {
  for (std::uint32_t level = 1; level < levels_; ++level) {
    VaStep& step = at.path_[level];
    if (step.slot + 1 == step.node->count) continue;
    ++step.slot;
    for (; level != 0; --level)
      at.path_[level - 1] = {at.path_[level].node->inner.children[at.path_[level].slot], 0};
    return;
  }
}

void VaTree::insert(Cursor& at, const VaMapping& mapping, VaReserve& nodes) noexcept {
  VaStep& step = at.path_[0];
  if (levels_ == 0) {
    root_ = &fresh(nodes.take(), Kind::kLeaf);
    levels_ = 1;
    step = {root_, 0};
  } else if (step.node->count == VaNode::kLeafWidth) {
    make_room(at, 0, nodes);
  }
  VaNode::Leaf& leaf = step.node->leaf;
  const std::uint32_t slot = step.slot;
  const std::uint32_t behind = step.node->count - slot;
  const Key first = static_cast<Key>(mapping.range.first.value);
  PANTRY_CHECK(behind == 0 || mapping.range.last < leaf.records[slot].range(leaf.keys[slot]).first);
  PANTRY_CHECK(slot == 0 || leaf.keys[slot - 1] < first);

  move_slots(leaf.keys + slot + 1, leaf.keys + slot, behind);
  move_slots(leaf.records + slot + 1, leaf.records + slot, behind);
  write(leaf, slot, mapping);
  ++step.node->count;
  ++mappings_;
  if (slot == 0) set_bound_before(at, first - 1);
  if (behind == 0) raise_bound_after(at, leaf.keys[slot]);
}

void VaTree::replace(Cursor& at, const VaMapping& part) noexcept {
  PANTRY_CHECK(at.range().contains(part.range));
  const auto& [node, slot] = at.path_[0];
  write(node->leaf, slot, part);
}

void VaTree::replace(Cursor& at, const VaMapping& left, const VaMapping& right,
                     VaReserve& nodes) noexcept {
  replace(at, left);
  // Not advance: `right` may come last in this leaf, but not first in the next.
  ++at.path_[0].slot;
  insert(at, right, nodes);
}

void VaTree::erase(Cursor& at, VaReserve& nodes) noexcept {
  VaNode& node = *at.path_[0].node;
  VaNode::Leaf& leaf = node.leaf;
  const std::uint32_t slot = at.path_[0].slot;
  const std::uint32_t behind = node.count - slot - 1;
  move_slots(leaf.keys + slot, leaf.keys + slot + 1, behind);
  move_slots(leaf.records + slot, leaf.records + slot + 1, behind);
  leaf.keys[--node.count] = VaNode::kNoKey;
  --mappings_;
  if (mappings_ == 0) {
    nodes.give(*root_);
    root_ = nullptr;
    levels_ = 0;
    at.path_[0] = {nullptr, 0};
    return;
  }
  if (node.count < VaNode::least(Kind::kLeaf)) refill(at, nodes);
  settle(at);
}

// Evens the full node at `level` out with a neighbour, if one has room enough: so leaves are fuller
// than by splitting alone, and a large tree reads fewer lines.
bool VaTree::shift(Cursor& at, std::uint32_t level) noexcept {
  const Kind kind = kind_of(level);
  VaStep& step = at.path_[level];
  VaStep& above = at.path_[level + 1];
  const auto has_room = [&](std::uint32_t slot) {
    return above.node->inner.children[slot]->count <= VaNode::fullest_neighbour(kind);
  };
  const std::uint32_t slot = above.slot;
  if (slot + 1 != above.node->count && has_room(slot + 1)) {
    even_out(*above.node, slot, kind);
    put(step, above, slot, step.slot, kind);
    return true;
  }
  if (slot != 0 && has_room(slot - 1)) {
    const std::uint32_t place = above.node->inner.children[slot - 1]->count + step.slot;
    even_out(*above.node, slot - 1, kind);
    put(step, above, slot - 1, place, kind);
    return true;
  }
  return false;
}

// Makes room at the cursor, whose node at `level` is full: shifts to a neighbour, or splits the
// node, and those above it as far as they are full.
void VaTree::make_room(Cursor& at, std::uint32_t level, VaReserve& nodes) noexcept {
  if (level + 1 == levels_) {
    PANTRY_CHECK(levels_ < kMostVaLevels);
    VaNode& root = fresh(nodes.take(), Kind::kInner);
    root.inner.children[0] = root_;
    root.count = 1;
    root_ = &root;
    at.path_[levels_++] = {root_, 0};
  } else if (shift(at, level)) {
    return;
  } else if (at.path_[level + 1].node->count == VaNode::kInnerWidth) {
    make_room(at, level + 1, nodes);
  }
  const Kind kind = kind_of(level);
  VaStep& step = at.path_[level];
  VaStep& above = at.path_[level + 1];
  VaNode& left = *step.node;
  VaNode& right = fresh(nodes.take(), kind);
  move_right(left, right, VaNode::least(kind), kind);

  VaNode& parent = *above.node;
  const std::uint32_t behind = parent.count - above.slot;
  move_slots(parent.inner.keys + above.slot + 1, parent.inner.keys + above.slot, behind);
  move_slots(parent.inner.children + above.slot + 1, parent.inner.children + above.slot, behind);
  parent.inner.keys[above.slot] = cut_bound(left, kind);
  parent.inner.children[above.slot + 1] = &right;
  ++parent.count;
  put(step, above, above.slot, step.slot, kind);
}

// Brings the leaf at the cursor, and what is above it, back to kLeast: from a neighbour, or
// together with it. The cursor stays where it is.
void VaTree::refill(Cursor& at, VaReserve& nodes) noexcept {
  for (std::uint32_t level = 0; level + 1 < levels_; ++level) {
    VaStep& step = at.path_[level];
    if (step.node->count >= VaNode::least(kind_of(level))) break;
    const Kind kind = kind_of(level);
    VaStep& above = at.path_[level + 1];
    VaNode& parent = *above.node;
    const bool is_last = above.slot + 1 == parent.count;
    const std::uint32_t pair = is_last ? above.slot - 1 : above.slot;
    VaNode& left = *parent.inner.children[pair];
    VaNode& right = *parent.inner.children[pair + 1];
    const std::uint32_t place = step.slot + (is_last ? left.count : 0);

    if (left.count + right.count > VaNode::width(kind)) {
      even_out(parent, pair, kind);
      put(step, above, pair, place, kind);
      break;
    }
    give_bound(parent, pair, kind);
    move_left(left, right, right.count, kind);
    nodes.give(right);
    const std::uint32_t behind = parent.count - pair - 2;
    move_slots(parent.inner.keys + pair, parent.inner.keys + pair + 1, behind + 1);
    move_slots(parent.inner.children + pair + 1, parent.inner.children + pair + 2, behind);
    parent.inner.keys[--parent.count] = VaNode::kNoKey;
    step = {&left, place};
    above.slot = pair;
  }
  if (levels_ > 1 && root_->count == 1) {
    VaNode& old = *root_;
    root_ = old.inner.children[0];
    --levels_;
    nodes.give(old);
  }
}

// The bound between the leaf at the cursor and the one before it, if there is one.
void VaTree::set_bound_before(const Cursor& at, Key bound) const noexcept {
  for (std::uint32_t level = 1; level < levels_; ++level) {
    const VaStep& step = at.path_[level];
    if (step.slot == 0) continue;
    step.node->inner.keys[step.slot - 1] = bound;
    return;
  }
}

// The bound between the leaf at the cursor and the one after it: not below `key`.
void VaTree::raise_bound_after(const Cursor& at, Key key) const noexcept {
  for (std::uint32_t level = 1; level < levels_; ++level) {
    const VaStep& step = at.path_[level];
    if (step.slot + 1 == step.node->count) continue;
    step.node->inner.keys[step.slot] = std::max(step.node->inner.keys[step.slot], key);
    return;
  }
}

}  // namespace pantry::driver
