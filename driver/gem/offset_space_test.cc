// SPDX-License-Identifier: MIT
#include "driver/gem/offset_space.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <utility>
#include <vector>

namespace pantry::driver {
namespace {

TEST(OffsetSpace, TakesFromTheLowEndOfTheSmallestHoleThatFits) {
  OffsetSpace space(100, 50);
  auto a = *space.take(10);
  auto b = *space.take(5);
  auto c = *space.take(10);
  EXPECT_EQ(a.first(), 100u);
  EXPECT_EQ(b.first(), 110u);
  EXPECT_EQ(c.first(), 115u);
  space.give_back(std::move(b));
  // The hole of 5 fits exactly; the one of 25 is left alone.
  auto d = *space.take(5);
  EXPECT_EQ(d.first(), 110u);
  // Nothing but the big hole holds 6.
  auto e = *space.take(6);
  EXPECT_EQ(e.first(), 125u);
  EXPECT_EQ(space.take(20).error(), Errno::kNoSpc);
  for (auto* piece : {&a, &c, &d, &e}) space.give_back(std::move(*piece));
  EXPECT_EQ(space.take(50)->first(), 100u);
}

// One flag per number: which are taken.
class Model {
 public:
  explicit Model(std::size_t size) : taken_(size) {}
  std::optional<std::size_t> take(std::size_t size) {
    std::optional<std::size_t> best;
    std::size_t best_size = taken_.size() + 1;
    for (std::size_t i = 0; i < taken_.size();) {
      std::size_t end = i;
      while (end < taken_.size() && !taken_[end]) ++end;
      if (end - i >= size && end - i < best_size) {
        best = i;
        best_size = end - i;
      }
      i = end + 1;
    }
    if (best) mark(*best, size, true);
    return best;
  }
  void mark(std::size_t first, std::size_t size, bool taken) {
    for (std::size_t i = first; i < first + size; ++i) taken_[i] = taken;
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> holes() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;
    for (std::size_t i = 0; i < taken_.size(); ++i) {
      if (taken_[i]) continue;
      if (i == 0 || taken_[i - 1]) holes.emplace_back(i, 0);
      ++holes.back().second;
    }
    return holes;
  }

 private:
  std::vector<bool> taken_;
};

RC_GTEST_PROP(OffsetSpace, MatchesTheNaiveModel, ()) {
  constexpr std::size_t kSize = 64;
  OffsetSpace space(0, kSize);
  Model model(kSize);
  std::vector<OffsetSpace::Piece> pieces;
  const auto steps = *rc::gen::container<std::vector<std::pair<bool, unsigned>>>(
      rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange(0u, 1000u)));
  for (const auto& [give, number] : steps) {
    if (give && !pieces.empty()) {
      const std::size_t which = number % pieces.size();
      model.mark(pieces[which].first(), pieces[which].size(), false);
      space.give_back(std::move(pieces[which]));
      pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(which));
    } else {
      const std::size_t size = number % 16 + 1;
      auto piece = space.take(size);
      const auto expected = model.take(size);
      RC_ASSERT(piece.has_value() == expected.has_value());
      if (!piece) {
        RC_ASSERT(piece.error() == Errno::kNoSpc);
        continue;
      }
      RC_ASSERT(piece->first() == *expected);
      RC_ASSERT(piece->size() == size);
      pieces.push_back(std::move(*piece));
    }
    std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;
    space.for_each_hole(
        [&](std::uint64_t first, std::uint64_t size) { holes.emplace_back(first, size); });
    RC_ASSERT(holes == model.holes());
  }
}

}  // namespace
}  // namespace pantry::driver
