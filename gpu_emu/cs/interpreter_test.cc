// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/interpreter.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "gpu_emu/cs/stream_fixture.h"

namespace pantry::emu {
namespace {

using datasheet::Exception;
using isa::d;
using isa::r;

constexpr AsIndex kAs = StreamRig::kAs;
constexpr GpuVa kSync{0x7fff'f000'1000};
constexpr GpuVa kStream{0x7f12'3450'0000};

// What Panthor puts around every job: flush 0, stream 0x7f1234500000 of 0x40 bytes, sync object
// 0x7ffff0001000, 8 scoreboard entries.
const Program kWrapper = {0x025E'0000'0000'0000,
                          0x2400'5E00'0000'0233,
                          0x015C'7F12'3450'0000,
                          0x025E'0000'0000'0040,
                          0x0300'0000'0001'0000,
                          0x2000'5C5E'0000'0000,
                          0x015C'7FFF'F000'1000,
                          0x015E'0000'0000'0001,
                          0x0300'0000'00FF'0000,
                          0x3300'5C5E'0000'0001,
                          0x2F00'0000'0000'0000,
                          0,
                          0,
                          0,
                          0,
                          0};
// IGT's group_submit: stores 0xDEADBEEF to 0x1001000.
const Program kIgtStream = {0x0144'0000'0100'1000, 0x0246'0000'DEAD'BEEF, 0x1546'4400'0001'0000,
                            0x0300'0000'00FF'0000, 0x0246'0000'0000'0000, 0x2401'4600'0000'0233,
                            0x0300'0000'00FF'0000};

TEST(Golden, WrapperAroundAnIgtStream) {
  StreamRig rig{Quirks{}};
  rig.memory.map(kAs, kSync, 16);
  rig.memory.map(kAs, kStream, 4096);
  rig.memory.map(kAs, GpuVa{0x100'1000}, 4096);
  rig.memory.poke_words(kAs, kStream, kIgtStream);
  for (std::uint64_t job = 1; job <= 70; ++job) {  // 128 bytes each: the ring wraps
    rig.memory.poke<std::uint32_t>(kAs, GpuVa{0x100'1000}, 0);
    rig.stream.events = {};
    rig.ring(kWrapper);
    ASSERT_EQ(rig.run(), StreamStop::kRingEmpty);
    EXPECT_EQ(rig.memory.peek<std::uint32_t>(kAs, GpuVa{0x100'1000}), 0xdead'beefu);
    EXPECT_EQ(rig.memory.peek<std::uint64_t>(kAs, kSync), job);
    EXPECT_EQ(rig.memory.peek<std::uint32_t>(kAs, kSync + 8), 0u);
    EXPECT_TRUE(rig.stream.events.sync_update);
    EXPECT_EQ(rig.extract_word, 128 * job);
    EXPECT_EQ(rig.services.flush_id, 1 + 2 * job);
  }
}

TEST(Interpreter, ExtractIsPublishedAtJobSizedBoundaries) {
  StreamRig rig{Quirks{}};
  rig.ring(Program(20, 0));
  EXPECT_EQ(rig.run(rig.stream, 7), StreamStop::kLimit);
  EXPECT_EQ(rig.extract_word, 56u) << "on return in any case";
  rig.extract_word = 1;
  EXPECT_EQ(rig.interpreter.run(rig.stream, rig.peers, nullptr, 3, rig.services.time).executed, 3u);
  EXPECT_EQ(rig.extract_word, 1u);
}

TEST(Interpreter, YieldsWithinSixtyFourInstructions) {
  StreamRig rig{Quirks{}};
  rig.services.yield = true;
  rig.call(program(isa::Branch{.offset = -1}));  // for ever
  const auto result =
      rig.interpreter.run(rig.stream, rig.peers, nullptr, 100'000, rig.services.time);
  EXPECT_EQ(result.stop, StreamStop::kLimit);
  EXPECT_LT(result.executed, 64u);
  EXPECT_GT(result.executed, 0u);
}

TEST(Interpreter, AbortedAccessKillsTheStream) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Move48{.dst = d(90), .imm = StreamRig::kUnmapped.value},
                   isa::LoadMultiple{.base = r(0), .address = d(90), .mask = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  rig.memory.answer_all(kAs, MemoryStatus::kAborted);
  EXPECT_EQ(rig.run(), StreamStop::kAborted);
  EXPECT_EQ(rig.stream.exception.type, Exception::kCsBusFault);
  EXPECT_EQ(rig.stream.state.dead, 1);
  EXPECT_EQ(rig.stream.state.extract, 8u);
}

TEST(Interpreter, FetchGoesThroughTheAddressSpaceOfTheGroup) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Nop{}));
  rig.memory.answer_page(kAs, StreamRig::kRing, MemoryStatus::kStall);
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.stream.state.extract, 0u);
  rig.memory.answer_page(kAs, StreamRig::kRing, MemoryStatus::kOk);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
}

// A program that touches memory in every way there is, in two buffers over page boundaries.
Program busy_program() {
  const std::uint64_t data = StreamRig::kData.value;
  return program(
      isa::Move48{.dst = d(80), .imm = data + kPageSize - 8},
      isa::Move48{.dst = d(82), .imm = 0x1234'5678'9abc},
      isa::StoreMultiple{.base = r(80), .address = d(80), .mask = 0xf},
      isa::LoadMultiple{.base = r(10), .address = d(80), .mask = 0xf},
      isa::SyncAdd64{.address = d(80), .data = d(82), .error_propagate = true},
      isa::SyncAdd64{.address = d(80), .data = d(82), .wait = {4}, .signal = {1}},
      isa::Wait{.mask = isa::kAllScoreboards},
      isa::SyncWait64{
          .address = d(80), .reference = d(82), .condition = isa::SyncCondition::kGreater},
      isa::StoreState{.address = d(80), .offset = 16},
      isa::Move48{.dst = d(72), .imm = data + 2 * kPageSize}, isa::HeapSet{.address = d(72)},
      isa::HeapOperation{}, isa::Move48{.dst = d(52), .imm = data + 3 * kPageSize},
      isa::FinishFragment{
          .increment_fragment_completed = true, .first_chunk = d(52), .last_chunk = d(52)},
      isa::AddImm32{.dst = r(20), .src = r(20), .imm = 1},
      isa::SyncSet32{.address = d(80), .data = r(20)},
      isa::LoadMultiple{.base = r(30), .address = d(80), .mask = 0xffff, .offset = -40});
}

// The restart rule: a stall at any translation of any instruction changes nothing, and the program
// comes to the same end as without it.
TEST(Restart, AStallAtEveryTranslationLeavesTheSameResult) {
  StreamRig reference{Quirks{}};
  reference.call(busy_program());
  ASSERT_EQ(reference.run(), StreamStop::kRingEmpty);
  const int translations = static_cast<int>(reference.memory.translations());
  ASSERT_GE(translations, 20);
  for (int n = 0; n < translations; ++n) {
    StreamRig rig{Quirks{}};
    rig.call(busy_program());
    rig.memory.stall_once_after(n);
    int stalls = 0;
    StreamStop stop = rig.run();
    while (stop == StreamStop::kStalled || rig.stream.deferred_stalled ||
           stop == StreamStop::kBlocked) {
      ASSERT_LT(++stalls, 10);
      stop = rig.run();
    }
    EXPECT_EQ(stalls, 1) << n;
    ASSERT_EQ(stop, StreamStop::kRingEmpty) << n;
    EXPECT_EQ(rig.memory.digest(), reference.memory.digest()) << n;
    EXPECT_EQ(rig.stream.state.registers, reference.stream.state.registers) << n;
  }
}

// Slicing must not matter: any sequence of limits comes to the same end.
RC_GTEST_PROP(Restart, AnySequenceOfLimits, (const std::vector<std::uint8_t>& limits)) {
  StreamRig reference{Quirks{}};
  reference.call(busy_program());
  RC_ASSERT(reference.run() == StreamStop::kRingEmpty);
  StreamRig rig{Quirks{}};
  rig.call(busy_program());
  for (const std::uint8_t limit : limits) rig.run(rig.stream, 1u + limit % 5);
  RC_ASSERT(rig.run() == StreamStop::kRingEmpty);
  RC_ASSERT(rig.memory.digest() == reference.memory.digest());
  RC_ASSERT(rig.stream.state.registers == reference.stream.state.registers);
}

// No word, however odd, may break the interpreter itself: random streams run into each other, stop
// in defined ways and never touch memory that is not mapped.
RC_GTEST_PROP(Fuzz, RandomWordsStopInDefinedWays, (const std::vector<std::uint64_t>& noise)) {
  StreamRig rig{Quirks{}};
  Program words;
  std::uint64_t mix = 0x9e37'79b9'7f4a'7c15;
  for (const std::uint64_t one : noise) {
    // rapidcheck likes small numbers; spread them over the 54 opcodes and all operands.
    mix = (mix ^ one) * 0xbf58'476d'1ce4'e5b9;
    mix ^= mix >> 29;
    words.push_back((mix & 0x003f'3f3f'00ff'0fff) | (mix >> 17) % 54 << 56);
  }
  rig.call(words);
  for (int i = 0; i < 20 && rig.stream.state.dead == 0; ++i) {
    rig.stream.state.faulted = 0;
    const StreamStop stop = rig.run(rig.stream, 50);
    RC_ASSERT(rig.stream.state.depth >= 1 && rig.stream.state.depth <= kMaxCallDepth);
    RC_ASSERT(rig.stream.state.extract <= rig.stream.insert);
    if (stop == StreamStop::kRingEmpty) break;
    rig.services.time = rig.services.time + microseconds(10);
  }
}

}  // namespace
}  // namespace pantry::emu
