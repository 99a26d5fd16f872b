// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/builder.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::datasheet {
namespace {

using isa::d;
using isa::r;

// What Linux puts around a job: flush id 0, a stream of 64 bytes, eight scoreboard entries.
constexpr std::array<std::uint64_t, 16> kJobOfLinux = {
    0x025E000000000000, 0x24005E0000000233, 0x015C7F1234500000, 0x025E000000000040,
    0x0300000000010000, 0x20005C5E00000000, 0x015C7FFFF0001000, 0x015E000000000001,
    0x0300000000FF0000, 0x33005C5E00000001, 0x2F00000000000000};

TEST(CsBuilder, WritesTheJobOfLinux) {
  std::array<std::uint64_t, 24> words;
  words.fill(~std::uint64_t{0});
  CsBuilder stream(words);
  stream.add(isa::Move32{.dst = r(94), .imm = 0});
  stream.add(isa::FlushCache2{.l2 = CacheFlush::kCleanInvalidate,
                              .load_store = CacheFlush::kCleanInvalidate,
                              .other = CacheFlush::kInvalidate,
                              .flush_id = r(94),
                              .wait = isa::kNoScoreboards,
                              .signal = {0}});
  stream.add(isa::Move48{.dst = d(92), .imm = 0x7f12'3450'0000});
  stream.add(isa::Move32{.dst = r(94), .imm = 0x40});
  stream.add(isa::Wait{.mask = {1}});
  stream.add(isa::Call{.address = d(92), .length = r(94)});
  stream.add(isa::Move48{.dst = d(92), .imm = 0x7fff'f000'1000});
  stream.add(isa::Move48{.dst = d(94), .imm = 1});
  stream.add(isa::Wait{.mask = isa::kAllScoreboards});
  stream.add(isa::SyncAdd64{.address = d(92),
                            .data = d(94),
                            .error_propagate = true,
                            .scope = isa::SyncScope::kSystem,
                            .wait = isa::kNoScoreboards,
                            .signal = {0}});
  stream.add(isa::ErrorBarrier{});
  EXPECT_EQ(stream.size(), 11u);
  stream.pad_to_multiple_of(8);

  EXPECT_EQ(stream.size(), 16u);
  EXPECT_EQ(stream.bytes(), 128u);
  EXPECT_EQ(std::vector(stream.words().begin(), stream.words().end()),
            std::vector(kJobOfLinux.begin(), kJobOfLinux.end()));
  EXPECT_EQ(words[16], ~std::uint64_t{0}) << "nothing is written past the end";
}

TEST(CsBuilder, PaddingAFullBlockAddsNothing) {
  std::array<std::uint64_t, 8> words;
  CsBuilder stream(words);
  stream.pad_to_multiple_of(8);
  EXPECT_EQ(stream.size(), 0u);
  for (int i = 0; i < 8; ++i) stream.add_word(0xff00'0000'0000'0000);
  stream.pad_to_multiple_of(8);
  EXPECT_EQ(stream.size(), 8u);
}

TEST(CsBuilderDeathTest, RunningOutOfRoomIsABug) {
  std::array<std::uint64_t, 1> words;
  CsBuilder stream(words);
  stream.add(isa::ErrorBarrier{});
  EXPECT_DEATH(stream.add(isa::ErrorBarrier{}), "size_ < words_.size");
}

}  // namespace
}  // namespace pantry::datasheet
