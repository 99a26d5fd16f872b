// SPDX-License-Identifier: MIT
//
// The algebra against a naive model: a map from each page to what it shows.
#include "driver/gpuvm/va_space.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pantry::driver {
namespace {

constexpr GpuRange kWhole = GpuRange::of_size({0}, std::uint64_t{1} << 48);

GpuRange pages(std::uint64_t first, std::uint64_t count) {
  return GpuRange::of_size({first * kPageSize}, count * kPageSize);
}

VaReserve reserve(VaNodePool& pool) {
  VaReserve nodes = VaReserve::for_operation(pool);
  while (nodes.incomplete()) EXPECT_TRUE(pool.grow());
  return nodes;
}

// Performs the steps and writes down what they were: "u" unmap, "l" keep left, "r" keep right, "b"
// keep both, "m" map; in capitals when the new mapping shows the same pages.
class Recorder final : public StepVisitor {
 public:
  ~Recorder() {
    for (const auto& [object, references] : references) EXPECT_EQ(references, 0);
  }
  Done<UnmapStep> unmap(UnmapStep step) noexcept override {
    note(step.keeps_pages(), 'u');
    --references[step.old().object];
    --in_tree;
    return std::move(step).remove();
  }
  Done<KeepLeftStep> keep_left(KeepLeftStep step) noexcept override {
    note(step.keeps_pages(), 'l');
    return std::move(step).keep();
  }
  Done<KeepRightStep> keep_right(KeepRightStep step) noexcept override {
    note(step.keeps_pages(), 'r');
    return std::move(step).keep();
  }
  Done<KeepBothStep> keep_both(KeepBothStep step) noexcept override {
    note(step.keeps_pages(), 'b');
    ++references[step.old().object];
    ++in_tree;
    return std::move(step).keep();
  }
  Done<MapStep> map(MapStep step) noexcept override {
    note(false, 'm');
    ++references[step.mapping().object];
    ++in_tree;
    return std::move(step).insert();
  }
  // The steps since the last call.
  std::string take() { return std::exchange(steps_, {}); }
  // As a driver would hold them.
  std::map<void*, int> references;
  int in_tree = 0;

 private:
  void note(bool keeps, char step) {
    steps_.push_back(keeps ? static_cast<char>(step - 'a' + 'A') : step);
  }
  std::string steps_;
};

class VaSpaceTest : public testing::Test {
 protected:
  ~VaSpaceTest() override {
    VaReserve nodes = VaReserve::for_removal(pool);
    space.unmap(kWhole, nodes, steps);
  }
  std::string map(std::uint64_t first, std::uint64_t count, int& object, std::uint64_t offset_page,
                  std::uint32_t flags) {
    steps.take();
    VaReserve nodes = reserve(pool);
    space.map({pages(first, count), &object, offset_page * kPageSize, flags}, nodes, steps);
    return steps.take();
  }
  std::string unmap(std::uint64_t first, std::uint64_t count) {
    steps.take();
    VaReserve nodes = reserve(pool);
    space.unmap(pages(first, count), nodes, steps);
    return steps.take();
  }
  std::vector<VaMapping> all() const {
    std::vector<VaMapping> mappings;
    space.for_each(kWhole, [&](const VaMapping& mapping) { mappings.push_back(mapping); });
    return mappings;
  }
  Recorder steps;
  VaNodePool pool;
  VaSpace space{kWhole};
  int a = 0;
  int b = 0;
};

// Where a new range can lie with respect to an old one, [10, 20).
TEST_F(VaSpaceTest, EveryShapeOfOverlapHasItsSteps) {
  struct Shape {
    std::uint64_t first, count;
    const char* steps;
  };
  constexpr Shape kShapes[] = {
      {2, 3, ""},    {5, 5, ""},    {5, 6, "r"},   {5, 15, "u"}, {5, 20, "u"},
      {10, 5, "r"},  {10, 10, "u"}, {10, 15, "u"}, {12, 4, "b"}, {12, 8, "l"},
      {12, 12, "l"}, {19, 1, "l"},  {19, 10, "l"}, {20, 5, ""},  {30, 5, ""},
  };
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.first << "+" << shape.count);
    map(10, 10, a, 100, 7);
    EXPECT_EQ(unmap(shape.first, shape.count), shape.steps);
    unmap(0, 100);
    map(10, 10, a, 100, 7);
    EXPECT_EQ(map(shape.first, shape.count, b, 0, 7), std::string(shape.steps) + "m");
    unmap(0, 100);
  }
}

TEST_F(VaSpaceTest, StepsComeInAddressOrder) {
  map(0, 4, a, 0, 0);
  map(4, 4, b, 0, 0);
  map(10, 4, a, 0, 0);
  EXPECT_EQ(map(2, 10, b, 0, 0), "lurm");
  EXPECT_EQ(all(), (std::vector<VaMapping>{{pages(0, 2), &a, 0, 0},
                                           {pages(2, 10), &b, 0, 0},
                                           {pages(12, 2), &a, 2 * kPageSize, 0}}));
}

TEST_F(VaSpaceTest, RemaindersKeepOffsetAndFlags) {
  map(10, 10, a, 100, 5);
  unmap(13, 2);
  EXPECT_EQ(all(), (std::vector<VaMapping>{{pages(10, 3), &a, 100 * kPageSize, 5},
                                           {pages(15, 5), &a, 105 * kPageSize, 5}}));
}

TEST_F(VaSpaceTest, SaysWhenTheSamePagesStay) {
  map(10, 10, a, 100, 5);
  EXPECT_EQ(map(12, 4, a, 102, 5), "Bm");
  EXPECT_EQ(map(12, 4, a, 103, 5), "um") << "other pages";
  EXPECT_EQ(map(12, 4, a, 103, 4), "um") << "other flags";
  EXPECT_EQ(map(12, 4, b, 103, 4), "um") << "another object";
  EXPECT_EQ(map(12, 4, b, 103, 4), "Um");
}

TEST_F(VaSpaceTest, BestFitTakesTheSmallestHoleThatHoldsIt) {
  const GpuRange within = pages(100, 100);
  EXPECT_EQ(space.best_fit(kPageSize, kPageSize, within), pages(100, 1));
  map(90, 20, a, 0, 0);   // sticks in from below
  map(120, 10, a, 0, 0);  // hole of 10 before it
  map(134, 6, a, 0, 0);   // hole of 4
  map(195, 20, a, 0, 0);  // hole of 55; sticks out at the top
  EXPECT_EQ(space.best_fit(3 * kPageSize, kPageSize, within), pages(130, 3));
  EXPECT_EQ(space.best_fit(5 * kPageSize, kPageSize, within), pages(110, 5));
  EXPECT_EQ(space.best_fit(11 * kPageSize, kPageSize, within), pages(140, 11));
  EXPECT_EQ(space.best_fit(3 * kPageSize, 16 * kPageSize, within), pages(112, 3))
      << "aligned, the hole of 4 holds nothing";
  EXPECT_EQ(space.best_fit(56 * kPageSize, kPageSize, within), std::nullopt);
}

TEST(VaSpaceModel, AgreesWithAMapOfPages) {
  EXPECT_TRUE(rc::check([] {
    constexpr std::uint64_t kPages = 48;
    struct Shown {
      const void* object;
      std::uint64_t offset;
      std::uint32_t flags;
      bool operator==(const Shown&) const = default;
    };
    std::array<std::optional<Shown>, kPages> model;
    std::array<int, 2> objects{};
    Recorder steps;
    VaNodePool pool;
    VaSpace space(pages(0, kPages));
    const int ops = *rc::gen::inRange(1, 60);
    for (int i = 0; i < ops; ++i) {
      const std::uint64_t first = *rc::gen::inRange<std::uint64_t>(0, kPages);
      const std::uint64_t count = *rc::gen::inRange<std::uint64_t>(1, kPages - first + 1);
      const bool map = *rc::gen::inRange(0, 3) != 0;
      steps.take();
      const int before = steps.in_tree;
      VaReserve nodes = reserve(pool);
      if (map) {
        const Shown shown{&objects[*rc::gen::inRange<std::size_t>(0, 2)],
                          *rc::gen::inRange<std::uint64_t>(0, 4) * kPageSize,
                          *rc::gen::inRange<std::uint32_t>(0, 2)};
        space.map({pages(first, count), const_cast<void*>(shown.object), shown.offset, shown.flags},
                  nodes, steps);
        for (std::uint64_t p = 0; p < count; ++p)
          model[first + p] = Shown{shown.object, shown.offset + p * kPageSize, shown.flags};
        RC_ASSERT(steps.in_tree - before <= 2);
      } else {
        space.unmap(pages(first, count), nodes, steps);
        for (std::uint64_t p = 0; p < count; ++p) model[first + p].reset();
        RC_ASSERT(steps.in_tree - before <= 1);
      }
      std::map<void*, int> mappings;
      for (auto at = space.first_in(space.whole()); at; at = space.next_in(*at, space.whole()))
        ++mappings[at->object];
      for (const auto& [object, references] : steps.references)
        RC_ASSERT(mappings[object] == references);
      for (std::uint64_t p = 0; p < kPages; ++p) {
        const std::optional<VaMapping> found = space.find({p * kPageSize + 0x123});
        RC_ASSERT(found.has_value() == model[p].has_value());
        if (!found) continue;
        const VaMapping part = found->slice(pages(p, 1));
        RC_ASSERT((Shown{part.object, part.offset, part.flags} == *model[p]));
      }
    }
    VaReserve nodes = VaReserve::for_removal(pool);
    space.unmap(space.whole(), nodes, steps);
    RC_ASSERT(space.empty());
  }));
}

}  // namespace
}  // namespace pantry::driver
