// SPDX-License-Identifier: MIT
//
// A node of the VA tree, laid out for the cache, and how many of them a tree can need.
//
// The tree is a B+-tree. A leaf holds the mappings of a stretch of addresses in order, an inner
// node the nodes one level down. Keys lie apart from what they stand for, side by side, so that a
// search reads lines that do not depend on each other; slots without a key hold kNoKey, so that it
// need not know how many there are. Mappings are packed, since a large tree is as fast as the lines
// are few that it reads from memory.
#pragma once

#include <algorithm>
#include <cstdint>

#include "driver/gpuvm/va_record.h"

namespace pantry::driver {

class VaSlab;
enum class VaNodeKind { kLeaf, kInner };

struct alignas(64) VaNode {
  using Key = VaKey;
  static constexpr Key kNoKey = kNoVaKey;
  // The fastest of those measured at a million mappings, where all of a leaf comes from memory. A
  // narrower leaf makes the levels above it so large that they do not stay in the second cache; a
  // wider one is more lines to wait for, and more to move when a small tree changes.
  static constexpr std::uint32_t kLeafWidth = 64;
  static constexpr std::uint32_t kInnerWidth = 96;

  struct Leaf {
    Key keys[kLeafWidth];
    VaRecord records[kLeafWidth];
  };
  struct Inner {
    // For each child but the last one a bound: not below any key in that child, and below every
    // address that is mapped in the next.
    Key keys[kInnerWidth];
    VaNode* children[kInnerWidth];
  };

  static constexpr std::uint32_t width(VaNodeKind kind) {
    return kind == VaNodeKind::kLeaf ? kLeafWidth : kInnerWidth;
  }
  // Every node but the root holds at least this many. Half, so that a full node splits into two.
  static constexpr std::uint32_t least(VaNodeKind kind) { return width(kind) / 2; }

  // A full node is evened out with a neighbour that holds no more than this, else it splits. Were
  // this nearer to full, a pair would be evened out for every few mappings.
  static constexpr std::uint32_t fullest_neighbour(VaNodeKind kind) { return width(kind) * 15 / 16; }

  Key* keys(VaNodeKind kind) { return kind == VaNodeKind::kLeaf ? leaf.keys : inner.keys; }

  union {
    Leaf leaf;
    Inner inner;
    VaNode* next_free;  // on a list of free nodes
  };
  std::uint32_t count;  // mappings or children
  VaSlab* slab;         // where it lies
};
static_assert(sizeof(VaNode::Leaf) == sizeof(VaNode::Inner));

// Mappings in one space: pages of 4 KiB in 48 bits.
inline constexpr std::uint64_t kMostMappings = std::uint64_t{1} << 36;

// The fewest mappings under a root with `children` children (mappings, if it is a leaf) at the top
// of `levels` levels.
constexpr std::uint64_t least_va_mappings(std::uint32_t levels, std::uint64_t children) {
  std::uint64_t mappings = children;
  for (std::uint32_t level = 1; level < levels && mappings <= kMostMappings; ++level)
    mappings *= VaNode::least(level == 1 ? VaNodeKind::kLeaf : VaNodeKind::kInner);
  return mappings;
}

// The most nodes that a tree of `mappings` can consist of: the leaves, their parents and so on, all
// as empty as they may be.
constexpr std::uint64_t most_va_nodes(std::uint64_t mappings) {
  if (mappings == 0) return 0;
  std::uint64_t level = std::max<std::uint64_t>(mappings / VaNode::least(VaNodeKind::kLeaf), 1);
  std::uint64_t nodes = level;
  while (level != 1) {
    level = std::max<std::uint64_t>(level / VaNode::least(VaNodeKind::kInner), 1);
    nodes += level;
  }
  return nodes;
}

// Levels of the tallest tree that there can be.
constexpr std::uint32_t most_va_levels() {
  std::uint32_t levels = 1;
  while (least_va_mappings(levels + 1, 2) <= kMostMappings) ++levels;
  return levels;
}
inline constexpr std::uint32_t kMostVaLevels = most_va_levels();

// How many more mappings there are after one operation: a hole in a mapping, with the new one in
// it.
inline constexpr std::uint32_t kVaMappingsPerOp = 2;

// The most nodes that one operation adds.
//
// An operation may empty any number of nodes, but it adds mappings at one place: at most
// kVaMappingsPerOp more than it found there, next to each other. The first of them that finds its
// leaf full splits it; after that the leaf has room for what is left, so nodes split along one
// path, once, as far up as they are full. Either a node below the root has room: one new node for
// each level under it. Or all split: one for each level, and a new root. For that the root must be
// full, which takes 2^22 mappings at four levels (five new nodes), 2^28 at five (six) and 2^33 at
// six (seven); at seven it would take more than the 2^36 pages in 48 bits.
constexpr std::uint32_t most_va_nodes_per_op() {
  std::uint32_t most = 1;  // the first leaf
  for (std::uint32_t levels = 1; levels <= kMostVaLevels; ++levels) {
    most = std::max(most, levels - 1);
    const std::uint32_t root = VaNode::width(levels == 1 ? VaNodeKind::kLeaf : VaNodeKind::kInner);
    if (least_va_mappings(levels, root) < kMostMappings) most = std::max(most, levels + 1);
  }
  return most;
}
inline constexpr std::uint32_t kVaNodesPerOp = most_va_nodes_per_op();
static_assert(kVaNodesPerOp == 7);

}  // namespace pantry::driver
