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

}  // namespace
}  // namespace pantry::emu
