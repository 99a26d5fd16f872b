// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_slab.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <vector>

namespace pantry::driver {
namespace {

TEST(VaSlab, NodesDoNotOverlapAndLieInTheSlab) {
  for (const std::uint32_t nodes : {1u, 2u, 5u, VaSlab::kLargeNodes}) {
    SCOPED_TRACE(nodes);
    VaSlab* const slab = VaSlab::make(nodes);
    ASSERT_TRUE(slab);
    std::vector<VaNode*> taken;
    while (!slab->full()) {
      VaNode& node = slab->take();
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&node) % alignof(VaNode), 0u);
      // All of it can be written without hurting another one, or the slab.
      std::memset(&node.leaf, static_cast<int>(taken.size() % 251), sizeof(node.leaf));
      EXPECT_EQ(node.slab, slab);
      taken.push_back(&node);
    }
    EXPECT_EQ(taken.size(), nodes);
    if (nodes == VaSlab::kLargeNodes) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slab) % VaSlab::kLargeBytes, 0u);
      EXPECT_LE(reinterpret_cast<std::uintptr_t>(taken.back() + 1),
                reinterpret_cast<std::uintptr_t>(slab) + VaSlab::kLargeBytes);
    }
    for (std::size_t i = 0; i < taken.size(); ++i) {
      EXPECT_EQ(taken[i]->leaf.keys[5] & 0xff, static_cast<VaNode::Key>(i % 251));
      slab->give(*taken[i]);
    }
    EXPECT_TRUE(slab->empty());
    VaSlab::destroy(*slab);
  }
}

// Nodes are taken, given back, and slabs added and dropped, in any order.
TEST(VaSlabList, AgreesWithASetOfNodes) {
  EXPECT_TRUE(rc::check([] {
    VaSlabList slabs;
    std::vector<VaNode*> taken;
    std::uint64_t total = 0;
    const int steps = *rc::gen::inRange(1, 400);
    for (int step = 0; step < steps; ++step) {
      switch (*rc::gen::inRange(0, 8)) {
        case 0: {
          const auto nodes = *rc::gen::inRange(1u, 6u);
          VaSlab* const slab = VaSlab::make(nodes);
          RC_ASSERT(slab);
          slabs.add(*slab);
          total += nodes;
          break;
        }
        case 1:
          if (VaSlab* const slab = slabs.empty()) {
            for (const VaNode* node : taken) RC_ASSERT(node->slab != slab);
            slabs.drop(*slab);
            total -= slab->nodes();
            VaSlab::destroy(*slab);
          }
          break;
        case 2:
        case 3:
        case 4:
          if (taken.empty()) break;
          {
            const auto at = *rc::gen::inRange<std::size_t>(0, taken.size());
            slabs.give(*taken[at]);
            taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(at));
          }
          break;
        default: {
          VaNode* const node = slabs.take();
          RC_ASSERT((node != nullptr) == (taken.size() < total));
          if (!node) break;
          for (const VaNode* other : taken) RC_ASSERT(other != node);
          taken.push_back(node);
        }
      }
      RC_ASSERT(slabs.free() == total - taken.size());
    }
    for (VaNode* node : taken) slabs.give(*node);
    RC_ASSERT(slabs.free() == total);
    RC_ASSERT((slabs.empty() != nullptr) == (total != 0));
  }));
}

}  // namespace
}  // namespace pantry::driver
