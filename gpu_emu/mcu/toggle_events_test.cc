// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/toggle_events.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "gpu_emu/mcu/idle_period.h"
#include "gpu_emu/mcu/timers.h"

namespace pantry::emu {
namespace {

TEST(ToggleEvents, WaitForTheAnswerToAnEarlierOne) {
  ToggleEvents events;
  events.post(0b11);
  EXPECT_EQ(events.take(0b00, 0b01), 0b10u) << "bit 0 is pending already";
  EXPECT_EQ(events.waiting(), 0b01u);
  EXPECT_EQ(events.take(0b01, 0b01), 0b01u);
  EXPECT_EQ(events.waiting(), 0u);
  events.post(0b100);
  events.drop(0b100);
  EXPECT_EQ(events.take(0, 0), 0u);
}

// However posts, raises and answers interleave: after the last answer the host has heard of every
// post, and it hears of nothing when nothing was posted.
RC_GTEST_PROP(ToggleEvents, NoneIsLostAndNoneInvented, (const std::vector<std::uint8_t>& steps)) {
  ToggleEvents events;
  std::uint32_t request = 0, acknowledge = 0;
  bool is_news = false;  // posted, and the host has not looked since
  const auto raise = [&] { acknowledge ^= events.take(request, acknowledge); };
  const auto look = [&] {
    if (request == acknowledge) return false;
    request = acknowledge;
    is_news = false;
    return true;
  };
  for (const std::uint8_t step : steps) {
    if (step % 3 == 0) {
      events.post(1);
      is_news = true;
    } else if (step % 3 == 1) {
      raise();
    } else {
      look();
    }
  }
  raise();
  while (look()) raise();
  RC_ASSERT(!is_news);
  RC_ASSERT(events.waiting() == 0u);
}

TEST(Timers, Words) {
  const Quirks quirks;
  EXPECT_EQ(timer_span(0xeb, quirks, 24'000'000), nanoseconds(10'026'666));
  EXPECT_EQ(timer_span(0x13, quirks, 24'000'000), nanoseconds(810'666));
  EXPECT_EQ(timer_span(0x8000'1e85, quirks, 24'000'000), nanoseconds(10'000'640)) << "core clock";
  EXPECT_EQ(progress_span(0x27'1000, quirks), milliseconds(3276) + microseconds(800));
  EXPECT_EQ(progress_span(0, quirks), nanoseconds(0));
  EXPECT_EQ(timer_span(0x7fff'ffff, quirks, 24'000'000).ns, 91'625'968'938'666) << "no overflow";
}

TEST(IdlePeriod, IsReportedOnce) {
  IdlePeriod period;
  EXPECT_EQ(period.deadline(milliseconds(1)), TimePoint::never());
  period.idle(TimePoint{5});
  period.idle(TimePoint{9});
  EXPECT_EQ(period.deadline(nanoseconds(10)), TimePoint{15}) << "it goes on from the first";
  period.reported();
  EXPECT_EQ(period.deadline(nanoseconds(10)), TimePoint::never());
  period.busy();
  period.idle(TimePoint{20});
  EXPECT_EQ(period.deadline(nanoseconds(10)), TimePoint{30});
}

}  // namespace
}  // namespace pantry::emu
