// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/run_queue.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

namespace pantry::emu {
namespace {

TEST(RunQueue, ServesEachReadyStreamOnceARoundByPriority) {
  RunQueue queue;
  const StreamId low = StreamId::of(0, 0);
  const StreamId high = StreamId::of(5, 1);
  const StreamId higher = StreamId::of(5, 3);
  queue.set_priority(low, 1, 9);
  queue.set_priority(high, 7, 0);
  queue.set_priority(higher, 7, 2);
  EXPECT_EQ(queue.next(), std::nullopt);
  for (const StreamId id : {low, high, higher}) queue.put(id, StreamPlace::kReady);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(queue.next(), higher);
    EXPECT_EQ(queue.next(), high);
    EXPECT_EQ(queue.next(), low);
  }
  queue.put(high, StreamPlace::kSyncWait);
  EXPECT_EQ(queue.next(), higher);
  EXPECT_EQ(queue.next(), low);
}

TEST(RunQueue, WakesByPlaceAndGroup) {
  RunQueue queue;
  const StreamId a = StreamId::of(1, 0);
  const StreamId b = StreamId::of(2, 7);
  queue.put(a, StreamPlace::kProgressWait);
  queue.put(b, StreamPlace::kProgressWait);
  queue.wake_group(StreamPlace::kProgressWait, 2);
  EXPECT_EQ(queue.place_of(a), StreamPlace::kProgressWait);
  EXPECT_EQ(queue.place_of(b), StreamPlace::kReady);
  queue.wake(StreamPlace::kProgressWait);
  EXPECT_EQ(queue.place_of(a), StreamPlace::kReady);
}

// Against the plain rule: of the ready streams that had no turn in this round, the one with the
// highest priority and, among equals, the lowest number; with none left a new round begins.
RC_GTEST_PROP(RunQueue, NextIsTheModels, (const std::vector<std::uint16_t>& steps)) {
  RunQueue queue;
  std::array<bool, RunQueue::kStreams> ready{};
  std::array<bool, RunQueue::kStreams> served{};
  std::array<unsigned, RunQueue::kStreams> priority{};
  for (const std::uint16_t step : steps) {
    const std::uint8_t number = step % RunQueue::kStreams;
    const StreamId id{number};
    switch (step >> 6 & 3) {
      case 0:
        queue.put(id, StreamPlace::kReady);
        ready[number] = true;
        break;
      case 1:
        queue.put(id, StreamPlace::kStalled);
        ready[number] = false;
        break;
      case 2: {
        const auto group = static_cast<std::uint8_t>(step >> 8 & 15);
        const auto stream = static_cast<std::uint8_t>(step >> 12);
        queue.set_priority(id, group, stream);
        priority[number] = group * 16u + stream;
        break;
      }
      case 3: {
        int best = -1;
        for (int again = 0; again < 2 && best < 0; ++again) {
          for (unsigned i = 0; i < RunQueue::kStreams; ++i) {
            if (!ready[i] || served[i]) continue;
            if (best < 0 || priority[i] > priority[static_cast<unsigned>(best)]) {
              best = static_cast<int>(i);
            }
          }
          if (best < 0) served = {};
        }
        const auto next = queue.next();
        RC_ASSERT(next.has_value() == (best >= 0));
        if (!next) break;
        RC_ASSERT(next->value == best);
        served[next->value] = true;
        break;
      }
    }
    std::uint64_t all = 0;
    int count = 0;
    for (unsigned place = 0; place < 7; ++place) {
      const std::uint64_t mask = queue.mask(static_cast<StreamPlace>(place));
      all |= mask;
      count += std::popcount(mask);
    }
    RC_ASSERT(all == ~std::uint64_t{0} && count == 64);
  }
}

}  // namespace
}  // namespace pantry::emu
