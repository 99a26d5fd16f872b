// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/memory_ops.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>

#include "gpu_emu/cs/stream_fixture.h"

namespace pantry::emu {
namespace {

using datasheet::Exception;
using isa::d;
using isa::r;

constexpr std::uint64_t kData = StreamRig::kData.value;

TEST(StoreMultiple, DenseMaskWithNegativeOffset) {
  StreamRig rig{Quirks{}};
  rig.ring(
      set64(d(10), 0x2222'2222'1111'1111) +
      program(isa::Move32{.dst = r(12), .imm = 0x3333'3333},
              isa::Move48{.dst = d(90), .imm = kData + 64},
              isa::StoreMultiple{.base = r(10), .address = d(90), .mask = 0b111, .offset = -48}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data32(12), 0u);
  EXPECT_EQ(rig.data32(16), 0x1111'1111u);
  EXPECT_EQ(rig.data32(20), 0x2222'2222u);
  EXPECT_EQ(rig.data32(24), 0x3333'3333u);
  EXPECT_EQ(rig.data32(28), 0u);
}

TEST(Transfer, SixteenWordsAcrossAPageBoundaryAndBack) {
  StreamRig rig{Quirks{}};
  Program fill;
  for (unsigned i = 0; i < 16; ++i) fill = fill + program(isa::Move32{.dst = r(i), .imm = 100 + i});
  rig.ring(fill + program(isa::Move48{.dst = d(90), .imm = kData + kPageSize - 20},
                          isa::StoreMultiple{.base = r(0), .address = d(90), .mask = 0xffff},
                          isa::LoadMultiple{.base = r(32), .address = d(90), .mask = 0xffff}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  for (unsigned i = 0; i < 16; ++i) {
    EXPECT_EQ(rig.data32(kPageSize - 20 + 4 * i), 100 + i);
    EXPECT_EQ(rig.reg(32 + i), 100 + i);
  }
}

TEST(Transfer, LoadMayOverwriteItsAddress) {
  StreamRig rig{Quirks{}};
  rig.memory.poke<std::uint64_t>(StreamRig::kAs, StreamRig::kData, 0x0123'4567'89ab'cdef);
  rig.ring(program(isa::Move48{.dst = d(4), .imm = kData},
                   isa::LoadMultiple{.base = r(4), .address = d(4), .mask = 0b11}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg64(4), 0x0123'4567'89ab'cdefu);
}

// Any mask, either meaning of holes, against a loop over bits.
RC_GTEST_PROP(Transfer, AnyMaskAnywhere, (std::uint16_t bits, bool packed, bool dense)) {
  Quirks quirks;
  quirks.sparse_mask = packed ? Quirks::SparseMask::kPacked : Quirks::SparseMask::kWordPerBit;
  // As long a row as the number of bits, or holes as they come.
  const auto mask = dense ? static_cast<std::uint16_t>((1u << std::popcount(bits)) - 1) : bits;
  // At a word or at a pair of words; some cross into the second page.
  const std::uint64_t offset = kPageSize - 4 * *rc::gen::inRange<std::uint64_t>(1, 24);
  StreamRig rig{quirks};
  Program fill;
  for (unsigned i = 0; i < 16; ++i) fill = fill + program(isa::Move32{.dst = r(i), .imm = 7 + i});
  rig.ring(fill + program(isa::Move48{.dst = d(90), .imm = kData + offset},
                          isa::StoreMultiple{.base = r(0), .address = d(90), .mask = mask},
                          isa::LoadMultiple{.base = r(40), .address = d(90), .mask = mask}));
  RC_ASSERT(rig.run() == StreamStop::kRingEmpty);
  unsigned place = 0;
  for (unsigned bit = 0; bit < 16; ++bit) {
    const bool chosen = (mask >> bit & 1) != 0;
    if (!packed) {
      RC_ASSERT(rig.data32(offset + 4 * bit) == (chosen ? 7 + bit : 0));
    } else if (chosen) {
      RC_ASSERT(rig.data32(offset + 4 * place++) == 7 + bit);
    }
    RC_ASSERT(rig.reg(40 + bit) == (chosen ? 7 + bit : 0));
  }
  if (packed) RC_ASSERT(rig.data32(offset + 4 * place) == 0u);
}

TEST(Transfer, EmptyMaskTouchesNothing) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Move48{.dst = d(90), .imm = StreamRig::kUnmapped.value},
                   isa::StoreMultiple{.base = r(0), .address = d(90), .mask = 0}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.memory.faults(), 0u);
}

TEST(Transfer, MisalignedAddressIsAFaultThatPasses) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Move48{.dst = d(90), .imm = kData + 2},
                   isa::LoadMultiple{.base = r(0), .address = d(90), .mask = 1},
                   isa::Move32{.dst = r(5), .imm = 5}));
  EXPECT_EQ(rig.run(), StreamStop::kFault);
  EXPECT_EQ(rig.stream.exception.type, Exception::kDataInvalidFault);
  EXPECT_EQ(rig.stream.exception.info, kData + 2);
  EXPECT_EQ(rig.stream.state.extract, 8u) << "inside the faulting job until it is acknowledged";
  EXPECT_EQ(rig.stream.state.in_error, 1);
  rig.stream.state.faulted = 0;
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(5), 5u);
}

TEST(Transfer, SecondPageMissingChangesNothing) {
  StreamRig rig{Quirks{}};
  const GpuVa last = StreamRig::kData + 4 * kPageSize - 4;
  rig.ring(program(isa::Move48{.dst = d(90), .imm = last.value}, isa::Move32{.dst = r(0), .imm = 1},
                   isa::StoreMultiple{.base = r(0), .address = d(90), .mask = 0b11}));
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.memory.faults(), 1u);
  EXPECT_EQ(rig.data32(4 * kPageSize - 4), 0u);
  rig.memory.map(StreamRig::kAs, last + 4, 4);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data32(4 * kPageSize - 4), 1u);
}

TEST(StoreState, WritesEachKind) {
  StreamRig rig{Quirks{}};
  rig.services.timestamp_value = 0x1'0000'0001;
  rig.services.cycle_value = 77;
  rig.stream.state.in_error = 1;
  rig.memory.poke<std::uint64_t>(StreamRig::kAs, StreamRig::kData + 16, ~std::uint64_t{0});
  using Kind = isa::StateKind;
  rig.ring(program(isa::Move48{.dst = d(90), .imm = kData},
                   isa::StoreState{.address = d(90), .offset = 0, .state = Kind::kTimestamp},
                   isa::StoreState{.address = d(90), .offset = 8, .state = Kind::kCycleCount},
                   isa::StoreState{.address = d(90), .offset = 16, .state = Kind::kDisjointCount},
                   isa::StoreState{.address = d(90), .offset = 24, .state = Kind::kErrorStatus}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data64(0), 0x1'0000'0001u);
  EXPECT_EQ(rig.data64(8), 77u);
  EXPECT_EQ(rig.data64(16), 0u);
  EXPECT_EQ(rig.data64(24), 1u);
}

TEST(StoreState, MisalignedIsAFault) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Move48{.dst = d(90), .imm = kData},
                   isa::StoreState{.address = d(90), .offset = 4}));
  EXPECT_EQ(rig.run(), StreamStop::kFault);
  EXPECT_EQ(rig.stream.exception.type, Exception::kDataInvalidFault);
}

TEST(TracePoint, HasNoEffectAndMaySignal) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::TracePoint{.base = r(90), .register_count = 6},
                   isa::TracePoint{.base = r(0), .register_count = 1, .wait = {1}, .signal = {2}},
                   isa::Wait{.mask = isa::kAllScoreboards}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
}

// Transfers that take a microsecond, on entry 2; d90 = kData.
struct SlowTransfers {
  SlowTransfers() : SlowTransfers(Quirks::Overlap::kScoreboarded) {}
  explicit SlowTransfers(Quirks::Overlap overlap) : rig(with(overlap)) {
    rig.memory.poke<std::uint32_t>(StreamRig::kAs, StreamRig::kData, 0xcafe);
    rig.ring(program(isa::SetSbEntry{.endpoint = {0}, .other = {2}},
                     isa::Move48{.dst = d(90), .imm = kData}, isa::Move32{.dst = r(4), .imm = 1}));
  }
  static Quirks with(Quirks::Overlap overlap) {
    Quirks quirks;
    quirks.transfer_time = microseconds(1);
    quirks.overlap = overlap;
    return quirks;
  }
  void let_pass(Duration time) { rig.services.time = rig.services.time + time; }

  StreamRig rig;
};
constexpr isa::LoadMultiple kLoadR4{.base = r(4), .address = d(90), .mask = 1};
constexpr isa::StoreMultiple kStoreR4{.base = r(4), .address = d(90), .mask = 1, .offset = 8};

TEST(SlowTransfer, WithoutAWaitTheOldValueIsRead) {
  SlowTransfers slow;
  slow.rig.ring(program(kLoadR4, isa::AddImm32{.dst = r(5), .src = r(4), .imm = 0}));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.reg(5), 1u);
  EXPECT_EQ(slow.rig.stream.state.scoreboard.busy(), 0b100u);
  EXPECT_FALSE(slow.rig.stream.drained());
  slow.let_pass(nanoseconds(999));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.reg(4), 1u);
  slow.let_pass(nanoseconds(1));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.reg(4), 0xcafeu);
  EXPECT_TRUE(slow.rig.stream.drained());
}

TEST(SlowTransfer, AWaitOnItsEntryIsEnough) {
  SlowTransfers slow;
  slow.rig.ring(program(kLoadR4, isa::Wait{.mask = {0b1011}}, isa::Wait{.mask = {0b100}},
                        isa::AddImm32{.dst = r(5), .src = r(4), .imm = 0}));
  EXPECT_EQ(slow.rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(slow.rig.stream.wait.scoreboards, 0b100u) << "another entry does not wait for it";
  slow.let_pass(microseconds(1));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.reg(5), 0xcafeu);
}

TEST(SlowTransfer, AStoreTakesItsAddressAtIssueAndItsRegistersAtTheEnd) {
  SlowTransfers slow;
  slow.rig.ring(program(kStoreR4, isa::Move32{.dst = r(4), .imm = 2},
                        isa::Move48{.dst = d(90), .imm = StreamRig::kUnmapped.value}));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.data32(8), 0u);
  slow.let_pass(microseconds(1));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.data32(8), 2u);
}

TEST(SlowTransfer, StallsAtItsEndAndIsTriedAgain) {
  SlowTransfers slow;
  slow.rig.memory.answer_page(StreamRig::kAs, StreamRig::kData, MemoryStatus::kStall);
  slow.rig.ring(program(kLoadR4, isa::Wait{.mask = {0b100}}));
  EXPECT_EQ(slow.rig.run(), StreamStop::kBlocked);
  EXPECT_FALSE(slow.rig.stream.deferred_stalled) << "not before its time";
  slow.let_pass(microseconds(1));
  EXPECT_EQ(slow.rig.run(), StreamStop::kBlocked);
  EXPECT_TRUE(slow.rig.stream.deferred_stalled);
  EXPECT_EQ(slow.rig.reg(4), 1u);
  slow.rig.memory.answer_page(StreamRig::kAs, StreamRig::kData, MemoryStatus::kOk);
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.reg(4), 0xcafeu);
}

TEST(SlowTransfer, ManyOutstandingOnesCompleteInIssueOrder) {
  SlowTransfers slow;
  for (int round = 0; round < 20; ++round) slow.rig.ring(program(kStoreR4));
  isa::LoadMultiple back = kLoadR4;
  back.offset = 8;
  slow.rig.ring(program(back));
  EXPECT_EQ(slow.rig.run(), StreamStop::kBlocked) << "16 at a time";
  EXPECT_EQ(slow.rig.stream.state.deferred.size(), 16u);
  slow.let_pass(microseconds(1));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  slow.let_pass(microseconds(1));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.reg(4), 1u);
  EXPECT_TRUE(slow.rig.stream.drained());
}

TEST(SlowTransfer, InOrderTheyTakeNoTime) {
  SlowTransfers slow{Quirks::Overlap::kInOrder};
  slow.rig.ring(program(kLoadR4, isa::AddImm32{.dst = r(5), .src = r(4), .imm = 0}));
  EXPECT_EQ(slow.rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(slow.rig.reg(5), 0xcafeu);
  EXPECT_TRUE(slow.rig.stream.drained());
}

}  // namespace
}  // namespace pantry::emu
