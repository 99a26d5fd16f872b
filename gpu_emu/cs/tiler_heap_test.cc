// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/tiler_heap.h"

#include <gtest/gtest.h>

#include "gpu_emu/cs/tiler_setup.h"

namespace pantry::emu {
namespace {

using datasheet::Exception;
using datasheet::cs::BlockedReason;
using datasheet::tiler_heap::chunk_word;
using isa::d;
using isa::r;

constexpr AsIndex kAs = StreamRig::kAs;
constexpr GpuVa kHeap = StreamRig::kData + 64;
constexpr GpuVa kChunk{0x900'0000};  // the tests need only its first page
constexpr GpuVa kSecondChunk{0x980'0000};
constexpr GpuVa kHandler = StreamRig::kBuffer + 2 * kPageSize;

std::uint64_t word_of(GpuVa chunk) { return chunk_word(chunk, 2 * kMiB); }

// The chunk that the client has prepared is full, and its draws are of one vertex each; so the
// first needs a chunk.
struct HeapRig : StreamRig {
  HeapRig() : StreamRig(Quirks{}), tiler(memory, kAs, 0) {
    memory.map(kAs, kChunk, 64);
    memory.map(kAs, kSecondChunk, 64);
    ring(program(isa::Move48{.dst = d(72), .imm = kHeap.value}, isa::HeapSet{.address = d(72)},
                 isa::ReqResource{.idvs = true}) +
         TilerSetup::draws(1));
  }
  std::uint32_t counter(std::uint32_t offset) {
    return memory.peek<std::uint32_t>(kAs, kHeap + offset);
  }
  std::uint64_t first_free() { return memory.peek<std::uint64_t>(kAs, kHeap + 16); }
  void answer(std::uint64_t chunk) {
    stream.state.heap_request = chunk != 0 ? HeapRequest::kGranted : HeapRequest::kRefused;
    stream.state.heap_granted_first = chunk;
    stream.state.heap_granted_last = chunk;
  }
  TilerSetup tiler;
};

TEST(HeapOperation, CountsInTheSharedContext) {
  HeapRig rig;
  using Kind = isa::HeapOperationKind;
  rig.ring(
      program(isa::HeapOperation{.kind = Kind::kVertexTilerStarted},
              isa::HeapOperation{.kind = Kind::kVertexTilerStarted},
              isa::HeapOperation{.kind = Kind::kVertexTilerCompleted},
              isa::HeapOperation{.kind = Kind::kVertexTilerStarted, .wait = {2}, .signal = {3}},
              isa::HeapOperation{.kind = Kind::kFragmentCompleted}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.counter(0), 3u);
  EXPECT_EQ(rig.counter(4), 1u);
  EXPECT_EQ(rig.counter(8), 1u);
  EXPECT_TRUE(rig.stream.events.heap_changed);
}

TEST(HeapOperation, WithoutAHeapIsAFault) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::HeapOperation{}));
  EXPECT_EQ(rig.run(), StreamStop::kFault);
  EXPECT_EQ(rig.stream.exception.type, Exception::kDataInvalidFault);
}

TEST(FinishFragment, ReturnsTheListInFrontOfTheFreeChunks) {
  HeapRig rig;
  rig.memory.poke<std::uint64_t>(kAs, kHeap + 16, 0x1234'5000'0200);
  // Two chunks, linked: kChunk -> kSecondChunk.
  rig.memory.poke<std::uint64_t>(kAs, kChunk, word_of(kSecondChunk));
  rig.ring(set64(d(52), word_of(kChunk)) + set64(d(54), word_of(kSecondChunk)) +
           program(isa::FinishFragment{
               .increment_fragment_completed = true, .first_chunk = d(52), .last_chunk = d(54)}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.first_free(), word_of(kChunk));
  EXPECT_EQ(rig.memory.peek<std::uint64_t>(kAs, kChunk), word_of(kSecondChunk));
  EXPECT_EQ(rig.memory.peek<std::uint64_t>(kAs, kSecondChunk), 0x1234'5000'0200u);
  EXPECT_EQ(rig.counter(8), 1u);
}

TEST(FinishFragment, WithoutChunksOrCountNeedsNoHeap) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::FinishFragment{.first_chunk = d(52), .last_chunk = d(54)}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
}

TEST(TakeChunk, NoneIsNeededWithRoomInTheOneInUse) {
  HeapRig rig;
  TilerSetup with_room(rig.memory, kAs, 64);
  rig.ring(program(isa::RunIdvs{}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_FALSE(rig.stream.events.heap_exhausted);
}

TEST(TakeChunk, FreeChunksAreUsedWithoutAskingTheHost) {
  HeapRig rig;
  rig.memory.poke<std::uint64_t>(kAs, kHeap + 16, word_of(kChunk));
  rig.memory.poke<std::uint64_t>(kAs, kChunk, word_of(kSecondChunk));
  rig.ring(program(isa::RunIdvs{}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.first_free(), word_of(kSecondChunk));
}

TEST(TakeChunk, AsksTheHostOnceAndGoesOnWithItsAnswer) {
  HeapRig rig;
  rig.ring(program(isa::HeapOperation{}, isa::RunIdvs{}, isa::Move32{.dst = r(1), .imm = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.blocked, BlockedReason::kResource);
  EXPECT_TRUE(rig.stream.events.heap_exhausted);
  EXPECT_EQ(rig.stream.heap_report.context, kHeap);
  EXPECT_EQ(rig.stream.heap_report.vt_start, 1u);
  EXPECT_EQ(rig.stream.heap_report.vt_end, 0u);
  rig.stream.events = {};
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_FALSE(rig.stream.events.heap_exhausted);
  rig.answer(word_of(kChunk));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.first_free(), 0u) << "the granted chunk is in use";
  EXPECT_EQ(rig.reg(1), 1u);
}

TEST(TakeChunk, TwoAreAskedForOneByOne) {
  HeapRig rig;
  constexpr auto kVerticesOfAChunk = (TilerSetup::kChunkBytes - 64) / 64;
  rig.ring(TilerSetup::draws(kVerticesOfAChunk + 1) + program(isa::RunIdvs{}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  rig.answer(word_of(kChunk));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.state.tiled_bytes, kVerticesOfAChunk * 64);
  rig.answer(word_of(kSecondChunk));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.stream.state.tiled_bytes, 0u);
  EXPECT_EQ(rig.tiler.base(), kSecondChunk.value);
  EXPECT_EQ(rig.tiler.completed_top(), word_of(kChunk));
}

TEST(TakeChunk, RefusedItWaitsForFragmentPassesInFlight) {
  HeapRig rig;
  rig.ring(program(isa::HeapOperation{},
                   isa::HeapOperation{.kind = isa::HeapOperationKind::kVertexTilerCompleted},
                   isa::HeapOperation{}, isa::RunIdvs{}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  rig.answer(0);
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.state.heap_request, HeapRequest::kWaitForFragment);
  // Another stream of the group finishes the pass and returns a chunk.
  rig.ring(
      rig.other,
      program(isa::Move48{.dst = d(72), .imm = kHeap.value}, isa::HeapSet{.address = d(72)}) +
          set64(d(52), word_of(kChunk)) +
          program(isa::FinishFragment{
              .increment_fragment_completed = true, .first_chunk = d(52), .last_chunk = d(52)}));
  EXPECT_EQ(rig.run(rig.other, 100), StreamStop::kRingEmpty);
  EXPECT_TRUE(rig.other.events.heap_changed);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
}

TEST(TakeChunk, RefusedItCallsTheHandlerAndTriesAgain) {
  HeapRig rig;
  // The handler returns a chunk, as incremental rendering would.
  const Program handler = program(isa::Move32{.dst = r(3), .imm = 3}) +
                          set64(d(52), word_of(kChunk)) +
                          program(isa::FinishFragment{.first_chunk = d(52), .last_chunk = d(52)});
  rig.memory.poke_words(kAs, kHandler, handler);
  rig.ring(program(isa::Move48{.dst = d(86), .imm = kHandler.value},
                   isa::Move32{.dst = r(88), .imm = static_cast<std::uint32_t>(8 * handler.size())},
                   isa::SetExceptionHandler{.address = d(86), .length = r(88)}));
  rig.call(program(isa::RunIdvs{}, isa::Move32{.dst = r(1), .imm = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  rig.answer(0);
  EXPECT_EQ(rig.run(rig.stream, 1), StreamStop::kLimit);
  EXPECT_EQ(rig.stream.state.handler_depth, 3);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(3), 3u);
  EXPECT_EQ(rig.reg(1), 1u);
  EXPECT_EQ(rig.stream.state.handler_depth, 0);
}

TEST(TakeChunk, RefusedWithoutAWayOutIsOom) {
  HeapRig rig;
  rig.ring(program(isa::RunIdvs{}, isa::Move32{.dst = r(1), .imm = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  rig.answer(0);
  EXPECT_EQ(rig.run(), StreamStop::kFault);
  EXPECT_EQ(rig.stream.exception.type, Exception::kOom);
  rig.stream.state.faulted = 0;
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(1), 1u);
}

TEST(TakeChunk, AHandlerThatFreesNothingIsCalledOnce) {
  HeapRig rig;
  rig.memory.poke_words(kAs, kHandler, program(isa::AddImm32{.dst = r(3), .src = r(3), .imm = 1}));
  rig.ring(program(isa::Move48{.dst = d(86), .imm = kHandler.value},
                   isa::Move32{.dst = r(88), .imm = 8},
                   isa::SetExceptionHandler{.address = d(86), .length = r(88)}, isa::RunIdvs{}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  rig.answer(0);
  EXPECT_EQ(rig.run(), StreamStop::kBlocked) << "asks again after the handler";
  EXPECT_EQ(rig.reg(3), 1u);
  rig.answer(0);
  EXPECT_EQ(rig.run(), StreamStop::kFault);
  EXPECT_EQ(rig.stream.exception.type, Exception::kOom);
  EXPECT_EQ(rig.reg(3), 1u);
}

}  // namespace
}  // namespace pantry::emu
