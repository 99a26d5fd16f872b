// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/suspend_buffer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "gpu_emu/cs/flat_memory.h"

namespace pantry::emu {
namespace {

constexpr AsIndex kMcu{0};
constexpr GpuVa kBuffer{0x0490'0000};

class SuspendBufferTest : public testing::Test {
 protected:
  SuspendBufferTest() {
    memory_.map(kMcu, kBuffer, SuspendBuffer::kBytes);
    saved_.mask = 0b1000'0101;
    for (std::uint32_t i = 0; i < kStreamSlots; ++i) {
      StreamState& state = saved_.streams[i];
      state.registers.fill(0x1000 + i);
      state.extract = 64 * i;
      state.depth = 1;
      state.in_flight.push({.done_ns = 1500, .entry = 3, .kind = InFlightKind::kFlush});
      state.in_flight.push(
          {.done_ns = InFlightOp::kNotDone, .work_ns = 800, .held_ns = 70, .entry = 3});
      state.scoreboard.begin(3);
      state.scoreboard.begin(3);
      state.deferred.push({.word = i, .address = 8});
      state.deferred.push({.word = i, .address = 8, .done_ns = 1700});
    }
  }
  SuspendBuffer::Loaded load(SavedStreams& into, TimePoint now) {
    return buffer_.load(memory_, kBuffer, into, now);
  }

  FlatMemory memory_;
  SuspendBuffer buffer_;
  SavedStreams saved_;
};

TEST_F(SuspendBufferTest, GivesBackWhatItWasGivenRelativeToTheClock) {
  ASSERT_EQ(buffer_.save(memory_, kBuffer, saved_, TimePoint{1000}), MemoryStatus::kOk);
  SavedStreams loaded;
  SuspendBuffer another;  // nothing is remembered in the object
  const auto result = another.load(memory_, kBuffer, loaded, TimePoint{50'000});
  ASSERT_EQ(result.status, MemoryStatus::kOk);
  ASSERT_EQ(result.content, SuspendBuffer::Content::kIntact);
  EXPECT_EQ(loaded.mask, saved_.mask);
  for (const std::uint32_t i : {0u, 2u, 7u}) {
    EXPECT_EQ(loaded.streams[i].in_flight[0].done_ns, 50'500);
    EXPECT_TRUE(loaded.streams[i].in_flight[1].waits_for_endpoint());
    EXPECT_EQ(loaded.streams[i].deferred[0].done_ns, 0) << "waits for no time";
    EXPECT_EQ(loaded.streams[i].deferred[1].done_ns, 50'700);
    loaded.streams[i].in_flight[0] = saved_.streams[i].in_flight[0];
    loaded.streams[i].deferred[1] = saved_.streams[i].deferred[1];
    EXPECT_EQ(std::memcmp(&loaded.streams[i], &saved_.streams[i], sizeof(StreamState)), 0) << i;
  }
}

TEST_F(SuspendBufferTest, NoticesEveryChangedWord) {
  ASSERT_EQ(buffer_.save(memory_, kBuffer, saved_, TimePoint{}), MemoryStatus::kOk);
  const std::uint64_t used = sizeof(SuspendBuffer::Header) + 3 * sizeof(StreamState);
  for (std::uint64_t at = 0; at < used; at += 4) {
    const auto word = memory_.peek<std::uint32_t>(kMcu, kBuffer + at);
    memory_.poke<std::uint32_t>(kMcu, kBuffer + at, word ^ 0x0001'0000);
    SavedStreams loaded;
    loaded.mask = 0x55;
    EXPECT_EQ(load(loaded, TimePoint{}).content, SuspendBuffer::Content::kCorrupted) << at;
    EXPECT_EQ(loaded.mask, 0x55u);
    memory_.poke<std::uint32_t>(kMcu, kBuffer + at, word);
  }
  SavedStreams loaded;
  EXPECT_EQ(load(loaded, TimePoint{}).content, SuspendBuffer::Content::kIntact);
}

TEST_F(SuspendBufferTest, NoticesStreamsThatChangedPlaces) {
  ASSERT_EQ(buffer_.save(memory_, kBuffer, saved_, TimePoint{}), MemoryStatus::kOk);
  constexpr std::uint64_t kHeader = sizeof(SuspendBuffer::Header);
  for (std::uint64_t at = 0; at < sizeof(StreamState); at += 4) {
    const GpuVa a = kBuffer + kHeader + at;
    const GpuVa b = a + sizeof(StreamState);
    const auto word = memory_.peek<std::uint32_t>(kMcu, a);
    memory_.poke(kMcu, a, memory_.peek<std::uint32_t>(kMcu, b));
    memory_.poke(kMcu, b, word);
  }
  SavedStreams loaded;
  EXPECT_EQ(load(loaded, TimePoint{}).content, SuspendBuffer::Content::kCorrupted);
}

TEST_F(SuspendBufferTest, AFreshBufferIsNotASavedGroup) {
  SavedStreams loaded;
  EXPECT_EQ(load(loaded, TimePoint{}).content, SuspendBuffer::Content::kCorrupted);
}

TEST_F(SuspendBufferTest, IsWrittenWholeOrNotAtAll) {
  const std::uint64_t before = memory_.digest();
  memory_.answer_page(kMcu, kBuffer + kPageSize, MemoryStatus::kStall);
  ASSERT_GT(sizeof(SuspendBuffer::Header) + 3 * sizeof(StreamState), kPageSize);
  EXPECT_EQ(buffer_.save(memory_, kBuffer, saved_, TimePoint{}), MemoryStatus::kStall);
  EXPECT_EQ(memory_.digest(), before);
  SavedStreams loaded;
  memory_.answer_page(kMcu, kBuffer + kPageSize, MemoryStatus::kOk);
  ASSERT_EQ(buffer_.save(memory_, kBuffer, saved_, TimePoint{}), MemoryStatus::kOk);
  memory_.answer_page(kMcu, kBuffer + kPageSize, MemoryStatus::kAborted);
  EXPECT_EQ(load(loaded, TimePoint{}).status, MemoryStatus::kAborted);
}

}  // namespace
}  // namespace pantry::emu
