// SPDX-License-Identifier: MIT
#include "driver/provision/window_pins.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

namespace pantry::driver {
namespace {

// Few keys in a small table, so that searches run into one another and past the end.
TEST(WindowPins, AgreesWithAMap) {
  EXPECT_TRUE(rc::check([] {
    WindowPins pins;
    std::map<std::uint64_t, WindowPins::Pins> model;
    const auto steps = *rc::gen::inRange(1, 400);
    for (int step = 0; step < steps; ++step) {
      const TableWindow window{*rc::gen::inRange(0u, 3u), *rc::gen::inRange<std::uint64_t>(0, 12)};
      const auto by = *rc::gen::element(WindowPins::By::kSync, WindowPins::By::kQueued);
      const std::uint32_t queued = by == WindowPins::By::kQueued;
      const auto known = model.find(window.key());
      if (*rc::gen::inRange(0, 5) < 3) {
        if (known == model.end() && !pins.has_room(1)) {
          WindowPins::Storage larger = WindowPins::Storage::make(pins.size() + 1).value();
          pins.adopt(larger);
        }
        pins.pin(window, by);
        WindowPins::Pins& now = model[window.key()];
        ++now.all;
        now.queued += queued;
      } else if (known != model.end() &&
                 (queued ? known->second.queued : known->second.all - known->second.queued) != 0) {
        --known->second.all;
        known->second.queued -= queued;
        RC_ASSERT(pins.unpin(window, by) == known->second);
        if (known->second.all == 0) model.erase(known);
      }
      RC_ASSERT(pins.size() == model.size());
      for (std::uint32_t height = 0; height < 3; ++height) {
        for (std::uint64_t number = 0; number < 12; ++number) {
          const TableWindow any{height, number};
          const auto wanted = model.find(any.key());
          RC_ASSERT(pins.pins(any) ==
                    (wanted == model.end() ? WindowPins::Pins{} : wanted->second));
        }
      }
      std::map<std::uint64_t, int> seen;
      pins.for_each([&](TableWindow any) { ++seen[any.key()]; });
      RC_ASSERT(seen.size() == model.size());
    }
  }));
}

TEST(WindowPins, AnEmptyOneHasNoRoomAndNoPins) {
  WindowPins pins;
  EXPECT_FALSE(pins.has_room(1));
  EXPECT_EQ(pins.pins({0, 0}).all, 0u);
  WindowPins::Storage storage = WindowPins::Storage::make(100).value();
  pins.adopt(storage);
  EXPECT_TRUE(pins.has_room(100));
  EXPECT_EQ(storage.windows(), 0u) << "it held none before";
  for (std::uint64_t i = 0; i < 100; ++i) pins.pin({1, i}, WindowPins::By::kQueued);
  WindowPins::Storage smaller = WindowPins::Storage::make(10).value();
  pins.adopt(smaller);
  EXPECT_EQ(pins.size(), 100u);
  EXPECT_EQ(pins.pins({1, 99}), (WindowPins::Pins{1, 1}));
}

TEST(WindowPinsDeathTest, ForgettingMoreThanWasPinnedIsABug) {
  WindowPins pins;
  EXPECT_DEATH(pins.pin({0, 1}, WindowPins::By::kSync), "CHECK");
  EXPECT_DEATH(pins.unpin({0, 1}, WindowPins::By::kSync), "CHECK");
  WindowPins::Storage storage = WindowPins::Storage::make(8).value();
  pins.adopt(storage);
  pins.pin({0, 1}, WindowPins::By::kSync);
  EXPECT_DEATH(pins.unpin({0, 1}, WindowPins::By::kQueued), "CHECK");
}

}  // namespace
}  // namespace pantry::driver
