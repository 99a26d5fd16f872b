// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/tiler_heap.h"

#include <gtest/gtest.h>

namespace pantry::datasheet::tiler_heap {
namespace {

TEST(TilerHeap, ChunkWords) {
  EXPECT_EQ(chunk_word({0x7fff'ffa0'0000}, 2 * kMiB), 0x7fff'ffa0'0200u);
  EXPECT_EQ(chunk_word({0x7fff'f000'0000}, kMaxChunkBytes), 0x7fff'f000'0800u);
  EXPECT_EQ(chunk_word({0x1000}, kMinChunkBytes), 0x1020u);
  for (const std::uint64_t bytes : {kMinChunkBytes, kMaxChunkBytes, 132 * kKiB}) {
    const std::uint64_t word = chunk_word({0x7fff'ffff'f000}, bytes);
    EXPECT_EQ(chunk_address(word), GpuVa{0x7fff'ffff'f000});
    EXPECT_EQ(chunk_bytes(word), bytes);
  }
}

TEST(TilerHeapDeathTest, ChunksAreWholePages) {
  EXPECT_DEATH(chunk_word({0x1800}, kMinChunkBytes), "is_aligned");
  EXPECT_DEATH(chunk_word({0x1000}, kMinChunkBytes + 1), "is_aligned");
  EXPECT_DEATH(chunk_word({0x1000}, kMaxChunkBytes + kPageSize), "kMaxChunkBytes");
}

}  // namespace
}  // namespace pantry::datasheet::tiler_heap
