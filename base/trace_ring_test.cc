// SPDX-License-Identifier: MIT
#include "base/trace_ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace pantry {
namespace {

std::vector<std::uint64_t> values(const TraceRing& ring) {
  std::vector<std::uint64_t> seen;
  ring.for_each([&](std::uint64_t, const TraceEvent& event) { seen.push_back(event.a); });
  return seen;
}

TEST(TraceRing, KeepsEventsInOrder) {
  const auto ring = std::make_unique<TraceRing>();
  for (std::uint64_t i = 0; i < 3; ++i) ring->trace("event", i, 0);
  EXPECT_EQ(values(*ring), (std::vector<std::uint64_t>{0, 1, 2}));
}

TEST(TraceRing, OverwritesTheOldest) {
  const auto ring = std::make_unique<TraceRing>();
  for (std::uint64_t i = 0; i < TraceRing::kCapacity + 5; ++i) ring->trace("event", i, 0);
  const std::vector<std::uint64_t> seen = values(*ring);
  ASSERT_EQ(seen.size(), TraceRing::kCapacity);
  EXPECT_EQ(seen.front(), 5u);
  EXPECT_EQ(seen.back(), TraceRing::kCapacity + 4);
}

}  // namespace
}  // namespace pantry
