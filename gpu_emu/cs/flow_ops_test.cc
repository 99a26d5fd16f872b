// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/flow_ops.h"

#include <gtest/gtest.h>

#include "gpu_emu/cs/stream_fixture.h"

namespace pantry::emu {
namespace {

using datasheet::Exception;
using isa::d;
using isa::r;

TEST(Branch, ConditionsCompareSigned) {
  using C = isa::BranchCondition;
  struct Case {
    C condition;
    std::int32_t value;
    bool taken;
  };
  for (const Case& c :
       {Case{C::kLessEqual, 0, true}, Case{C::kLessEqual, -1, true}, Case{C::kLessEqual, 1, false},
        Case{C::kGreater, 1, true}, Case{C::kGreater, -1, false}, Case{C::kEqual, 0, true},
        Case{C::kEqual, 1, false}, Case{C::kNotEqual, 0, false}, Case{C::kNotEqual, -1, true},
        Case{C::kLess, -1, true}, Case{C::kLess, 0, false}, Case{C::kGreaterEqual, 0, true},
        Case{C::kGreaterEqual, -1, false}, Case{C::kAlways, 5, true}}) {
    StreamRig rig{Quirks{}};
    rig.call(program(isa::Move32{.dst = r(1), .imm = static_cast<std::uint32_t>(c.value)},
                     isa::Branch{.value = r(1), .condition = c.condition, .offset = 1},
                     isa::Move32{.dst = r(2), .imm = 1}, isa::Move32{.dst = r(3), .imm = 1}));
    EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
    EXPECT_EQ(rig.reg(2) == 0, c.taken) << int(c.condition) << " of " << c.value;
    EXPECT_EQ(rig.reg(3), 1u);
  }
}

TEST(Branch, LoopsBackAndLeavesAtTheEnd) {
  StreamRig rig{Quirks{}};
  // r1 = 10; do { r2 += 3; r1 -= 1; } while (r1 > 0); goto end; r2 = 0
  rig.call(program(
      isa::Move32{.dst = r(1), .imm = 10}, isa::AddImm32{.dst = r(2), .src = r(2), .imm = 3},
      isa::AddImm32{.dst = r(1), .src = r(1), .imm = -1},
      isa::Branch{.value = r(1), .condition = isa::BranchCondition::kGreater, .offset = -3},
      isa::Branch{.offset = 1}, isa::Move32{.dst = r(2), .imm = 0}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(2), 30u);
}

TEST(Branch, OutOfTheBufferIsFatal) {
  for (const std::int16_t offset : {std::int16_t{-3}, std::int16_t{2}, std::int16_t{-32768}}) {
    StreamRig rig{Quirks{}};
    rig.call(program(isa::Nop{}, isa::Branch{.offset = offset}, isa::Nop{}));
    EXPECT_EQ(rig.run(), StreamStop::kFatal) << offset;
    EXPECT_EQ(rig.stream.exception.type, Exception::kCsInstrInvalid);
  }
}

TEST(Branch, TheRingOnlyGoesForward) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Branch{.offset = 1}, isa::Move32{.dst = r(1), .imm = 1},
                   isa::Move32{.dst = r(2), .imm = 1}, isa::Branch{.offset = -2}));
  EXPECT_EQ(rig.run(), StreamStop::kFatal);
  EXPECT_EQ(rig.reg(1), 0u);
  EXPECT_EQ(rig.reg(2), 1u);
  EXPECT_EQ(rig.stream.state.extract, 24u);

  StreamRig past{Quirks{}};
  past.ring(program(isa::Branch{.offset = 1}));
  EXPECT_EQ(past.run(), StreamStop::kFatal);
}

TEST(Call, ReturnsBehindItselfAndKeepsExtractAtTheCall) {
  StreamRig rig{Quirks{}};
  rig.call(program(isa::Move32{.dst = r(1), .imm = 1}, isa::Move32{.dst = r(2), .imm = 2}));
  rig.ring(program(isa::Move32{.dst = r(3), .imm = 3}));
  EXPECT_EQ(rig.run(rig.stream, 4), StreamStop::kLimit);  // two moves, CALL, the first inside
  EXPECT_EQ(rig.stream.state.depth, 2);
  EXPECT_EQ(rig.stream.state.extract, 16u);
  EXPECT_EQ(rig.stream.pc(), StreamRig::kBuffer + 8);
  EXPECT_EQ(rig.run(rig.stream, 1), StreamStop::kLimit);
  EXPECT_EQ(rig.stream.state.depth, 1);
  EXPECT_EQ(rig.stream.state.extract, 24u);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(3), 3u);
  EXPECT_EQ(rig.extract_word, 32u);
}

// A buffer that calls itself until r0 is 0: how deep may it get?
Program recursion() {
  return program(isa::AddImm32{.dst = r(0), .src = r(0), .imm = -1},
                 isa::Branch{.value = r(0), .condition = isa::BranchCondition::kLess, .offset = 2},
                 isa::Call{.address = d(92), .length = r(94)},
                 isa::AddImm32{.dst = r(1), .src = r(1), .imm = 1});
}

TEST(Call, EightLevelsWithTheRing) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Move32{.dst = r(0), .imm = 6}));
  rig.call(recursion());
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(1), 6u);  // each caller went on behind its CALL
  EXPECT_EQ(rig.stream.state.depth, 1);
}

TEST(Call, TheNinthLevelOverflows) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Move32{.dst = r(0), .imm = 7}));
  rig.call(recursion());
  EXPECT_EQ(rig.run(), StreamStop::kFatal);
  EXPECT_EQ(rig.stream.exception.type, Exception::kCsCallStackOverflow);
  EXPECT_EQ(rig.stream.state.depth, 8);
}

TEST(Call, OfNothingReturnsAtOnce) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Call{.address = d(0), .length = r(2)}, isa::Move32{.dst = r(5), .imm = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(5), 1u);
}

TEST(Call, OddLengthsAndAddressesAreFatal) {
  struct Case {
    std::uint64_t address;
    std::uint32_t bytes;
  };
  for (const Case& c : {Case{StreamRig::kBuffer.value, 12}, Case{StreamRig::kBuffer.value + 4, 8},
                        Case{~std::uint64_t{0} - 7, 16}}) {
    StreamRig rig{Quirks{}};
    rig.ring(set64(d(0), c.address) + program(isa::Move32{.dst = r(2), .imm = c.bytes},
                                              isa::Call{.address = d(0), .length = r(2)}));
    EXPECT_EQ(rig.run(), StreamStop::kFatal);
    EXPECT_EQ(rig.stream.exception.type, Exception::kCsInstrInvalid);
  }
}

TEST(Jump, ReplacesTheBufferAndReturnsWhereItWould) {
  StreamRig rig{Quirks{}};
  const GpuVa second = StreamRig::kBuffer + kPageSize;
  rig.memory.poke_words(StreamRig::kAs, second, program(isa::Move32{.dst = r(7), .imm = 7}));
  rig.call(
      program(isa::Move48{.dst = d(94), .imm = second.value}, isa::Move32{.dst = r(93), .imm = 8},
              isa::Jump{.address = d(94), .length = r(93)}, isa::Move32{.dst = r(8), .imm = 8}));
  rig.ring(program(isa::Move32{.dst = r(9), .imm = 9}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(7), 7u);
  EXPECT_EQ(rig.reg(8), 0u);
  EXPECT_EQ(rig.reg(9), 9u);
}

TEST(Jump, OfNothingReturns) {
  StreamRig rig{Quirks{}};
  rig.call(program(isa::Jump{.address = d(2), .length = r(4)}, isa::Move32{.dst = r(8), .imm = 8}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(8), 0u);
}

TEST(Jump, FromTheRingIsFatal) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Jump{.address = d(2), .length = r(4)}));
  EXPECT_EQ(rig.run(), StreamStop::kFatal);
  EXPECT_EQ(rig.stream.exception.type, Exception::kCsInstrInvalid);
}

TEST(Wait, HighMaskBitsAreAQuirk) {
  const Program high = program(isa::Wait{.mask = {0xffff}});
  StreamRig ignored{Quirks{}};
  ignored.ring(high);
  EXPECT_EQ(ignored.run(), StreamStop::kRingEmpty);
  Quirks quirks;
  quirks.high_wait_bits = Quirks::HighWaitBits::kInvalidInstruction;
  StreamRig strict{quirks};
  strict.ring(high);
  EXPECT_EQ(strict.run(), StreamStop::kFatal);
}

TEST(Wait, IncrementsProgressWhenItIsThrough) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Wait{.mask = isa::kAllScoreboards, .progress_increment = true},
                   isa::ProgressLoad{.dst = d(6)}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg64(6), 1u);
  EXPECT_TRUE(rig.stream.events.progress_changed);
}

TEST(RingOnly, CallsReturnAtOnce) {
  StreamRig rig{Quirks{}};
  Interpreter deaf(rig.quirks, rig.memory, rig.services, StreamPolicy::kRingOnly);
  rig.call(program(isa::Move32{.dst = r(1), .imm = 1}));
  rig.ring(program(isa::Move32{.dst = r(2), .imm = 2}));
  EXPECT_EQ(deaf.run(rig.stream, rig.peers, nullptr, 100, rig.services.time).stop,
            StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(1), 0u);
  EXPECT_EQ(rig.reg(2), 2u);
}

}  // namespace
}  // namespace pantry::emu
