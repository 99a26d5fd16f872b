// SPDX-License-Identifier: MIT
//
// A node of the VA tree, laid out for the cache, and how many of them a tree can need.
//
// The tree is a B+-tree. A leaf holds the mappings of a stretch of addresses in order, an inner
// node the nodes one level down. Keys lie apart from values, side by side, so that a search reads
// eight lines that do not depend on each other; slots without a key hold kNoKey, so that it need
// not know how many there are.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pantry::driver {

class Vma;

struct alignas(64) VaNode {
  static constexpr std::uint32_t kWidth = 64;
  // Every node but the root holds at least this many. Half, so that a full node splits into two.
  static constexpr std::uint32_t kLeast = kWidth / 2;
  // Above every address. Signed, since AVX2 compares nothing else.
  using Key = std::int64_t;
  static constexpr Key kNoKey = INT64_MAX;

  struct Mapped {
    std::uint64_t first;
    Vma* vma;
  };

  // Of a leaf: the last address of each mapping. Of an inner node: for each child but the last one
  // a bound, not below any key in that child and below every key in the next.
  Key keys[kWidth];
  union {
    Mapped mapped[kWidth];     // leaf
    VaNode* children[kWidth];  // inner node
    VaNode* next_free;         // on a list of free nodes
  };
  std::uint32_t count;  // mappings or children
};

// Mappings in one space: pages of 4 KiB in 48 bits.
inline constexpr std::uint64_t kMostMappings = std::uint64_t{1} << 36;

// The most nodes that a tree of `mappings` can consist of: the leaves, their parents and so on, all
// as empty as they may be.
constexpr std::uint64_t most_va_nodes(std::uint64_t mappings) {
  if (mappings == 0) return 0;
  std::uint64_t nodes = 0;
  for (std::uint64_t level = mappings; level != 1 || nodes == 0;) {
    level = std::max<std::uint64_t>(level / VaNode::kLeast, 1);
    nodes += level;
  }
  return nodes;
}

// The fewest mappings under a root with `children` children (mappings, if it is a leaf) at the top
// of `levels` levels.
constexpr std::uint64_t least_mappings(std::uint32_t levels, std::uint64_t children) {
  std::uint64_t mappings = children;
  for (std::uint32_t level = 1; level < levels && mappings <= kMostMappings; ++level)
    mappings *= VaNode::kLeast;
  return mappings;
}

// Levels of the tallest tree that there can be.
constexpr std::uint32_t most_va_levels() {
  std::uint32_t levels = 1;
  while (least_mappings(levels + 1, 2) <= kMostMappings) ++levels;
  return levels;
}
inline constexpr std::uint32_t kMostVaLevels = most_va_levels();

// The most nodes that one operation adds.
//
// An operation may empty any number of nodes, but it adds mappings at one place: at most two more
// than it found there (a hole in a mapping with the new one in it), next to each other. The first
// of them that finds its leaf full splits it; after that the leaf has room for what is left, so
// nodes split along one path, once. Each is full then. Either some node below the root has room:
// one new node for each level under it. Or the root splits too: one for each level, and a new root.
// For the latter the root must be full, which takes 64 * 32^6 mappings at seven levels: as many as
// there are pages in 48 bits. So seven, at six levels with a full root, from 2^31 mappings on, or
// at eight levels; and five below 2^26 mappings.
constexpr std::uint32_t most_va_nodes_per_op() {
  std::uint32_t most = 1;  // the first leaf
  for (std::uint32_t levels = 1; levels <= kMostVaLevels; ++levels) {
    most = std::max(most, levels - 1);
    if (least_mappings(levels, VaNode::kWidth) < kMostMappings) most = std::max(most, levels + 1);
  }
  return most;
}
inline constexpr std::uint32_t kVaNodesPerOp = most_va_nodes_per_op();
static_assert(kVaNodesPerOp == 7);

}  // namespace pantry::driver
