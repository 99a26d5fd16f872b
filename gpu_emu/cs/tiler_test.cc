// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/tiler.h"

#include <gtest/gtest.h>

#include "gpu_emu/cs/tiler_setup.h"

namespace pantry::emu {
namespace {

using datasheet::Exception;
using datasheet::tiler_heap::chunk_word;
using datasheet::tiler_heap::kChunkHeaderBytes;
using isa::d;

constexpr AsIndex kAs = StreamRig::kAs;
constexpr GpuVa kHeap = StreamRig::kData + 64;
constexpr GpuVa kSecond{0x900'0000};
constexpr GpuVa kThird{0x980'0000};
constexpr std::uint64_t kChunkBytes = TilerSetup::kChunkBytes;
const std::uint64_t kFirstWord = chunk_word(TilerSetup::kFirstChunk, kChunkBytes);
const std::uint64_t kSecondWord = chunk_word(kSecond, kChunkBytes);
const std::uint64_t kThirdWord = chunk_word(kThird, kChunkBytes);

struct TilerRig : StreamRig {
  explicit TilerRig(std::uint64_t room) : StreamRig(Quirks{}), tiler(memory, kAs, room) {
    memory.map(kAs, kSecond, kChunkBytes);
    memory.map(kAs, kThird, kChunkBytes);
    ring(program(isa::Move48{.dst = d(72), .imm = kHeap.value}, isa::HeapSet{.address = d(72)},
                 isa::ReqResource{.idvs = true}));
  }
  void draw(std::uint32_t vertices) { ring(TilerSetup::draws(vertices) + program(isa::RunIdvs{})); }
  TilerSetup tiler;
};

TEST(Tiler, TakesRoomForEachVertexOfTheChunkInUse) {
  TilerRig rig(kChunkBytes - kChunkHeaderBytes);
  rig.draw(100);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.tiler.base(), TilerSetup::kFirstChunk.value);
  EXPECT_EQ(rig.tiler.bottom(), TilerSetup::kFirstChunk.value + kChunkHeaderBytes +
                                    100 * rig.quirks.tiler_bytes_per_vertex);
  EXPECT_EQ(rig.tiler.completed_top(), 0u);
  EXPECT_EQ(rig.stream.state.tiled_bytes, 0u);
}

TEST(Tiler, FollowsTheChainAndListsWhatIsFull) {
  TilerRig rig(64);
  rig.memory.poke(kAs, TilerSetup::kFirstChunk, kSecondWord);
  rig.memory.poke(kAs, kSecond, kThirdWord);
  const auto vertices_of_a_chunk =
      static_cast<std::uint32_t>((kChunkBytes - kChunkHeaderBytes) / 64);
  rig.draw(1 + vertices_of_a_chunk + 2);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_FALSE(rig.stream.events.heap_exhausted);
  EXPECT_EQ(rig.tiler.base(), kThird.value);
  EXPECT_EQ(rig.tiler.bottom(), kThird.value + kChunkHeaderBytes + 2 * 64);
  // Second, then first; as FINISH_FRAGMENT wants it.
  EXPECT_EQ(rig.tiler.completed_top(), kSecondWord);
  EXPECT_EQ(rig.tiler.completed_bottom(), kFirstWord);
  EXPECT_EQ(rig.memory.peek<std::uint64_t>(kAs, kSecond), kFirstWord);
  EXPECT_EQ(rig.memory.peek<std::uint64_t>(kAs, TilerSetup::kFirstChunk), 0u);
}

TEST(Tiler, AFullChainNeedsTheHeap) {
  TilerRig rig(0);
  rig.memory.poke(kAs, kHeap + 16, kSecondWord);
  rig.memory.poke(kAs, kSecond, kThirdWord);
  rig.draw(1);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.tiler.base(), kSecond.value);
  EXPECT_EQ(rig.memory.peek<std::uint64_t>(kAs, kHeap + 16), kThirdWord);
  EXPECT_EQ(rig.memory.peek<std::uint64_t>(kAs, kSecond), 0u) << "no longer in a list";
}

TEST(Tiler, NothingToDrawNeedsNoDescriptors) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::ReqResource{.idvs = true}, isa::RunIdvs{}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
}

TEST(Tiler, WithoutAContextOrADescriptorItIsAFault) {
  for (const GpuVa wrong : {GpuVa{0}, TilerSetup::kContext + 8}) {
    TilerRig rig(64);
    rig.ring(TilerSetup::draws(1) +
             program(isa::Move48{.dst = d(40), .imm = wrong.value}, isa::RunIdvs{}));
    EXPECT_EQ(rig.run(), StreamStop::kFault);
    EXPECT_EQ(rig.stream.exception.type, Exception::kDataInvalidFault);
  }
  TilerRig rig(64);
  rig.memory.poke<std::uint64_t>(kAs, TilerSetup::kDescriptor + 24, 0x1000);  // top below bottom
  rig.draw(1);
  EXPECT_EQ(rig.run(), StreamStop::kFault);
  EXPECT_EQ(rig.stream.exception.type, Exception::kDataInvalidFault);
}

TEST(Tiler, AnUnmappedChunkFaultsInTheMmu) {
  TilerRig rig(64);
  namespace descriptor = datasheet::tiler_heap::heap_descriptor;
  rig.memory.poke(kAs, TilerSetup::kDescriptor + descriptor::kBase, StreamRig::kUnmapped.value);
  rig.memory.poke(kAs, TilerSetup::kDescriptor + descriptor::kBottom, StreamRig::kUnmapped.value);
  rig.memory.poke(kAs, TilerSetup::kDescriptor + descriptor::kTop,
                  StreamRig::kUnmapped.value + kChunkBytes);
  rig.draw(1);
  EXPECT_NE(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.tiler.bottom(), StreamRig::kUnmapped.value) << "nothing was taken";
}

// A client may link its chunks into a ring; a draw ends all the same.
TEST(Tiler, ACycleOfChunksEnds) {
  TilerRig rig(0);
  namespace context = datasheet::tiler_heap::tiler_context;
  rig.memory.poke(kAs, TilerSetup::kFirstChunk, kFirstWord);
  rig.memory.poke(kAs, TilerSetup::kContext + context::kCompletedTop, kFirstWord);
  rig.draw(UINT32_MAX);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
}

}  // namespace
}  // namespace pantry::emu
