// SPDX-License-Identifier: MIT
//
// What driver and firmware agree on about tiler heaps: the context that HEAP_SET selects, and the
// chunks, linked through their first word. Sources: [K], [M]. Constants only.
//
//   a 2 MiB chunk at 0x7fff'ffa0'0000 is named by the word 0x7fff'ffa0'0200: the size in pages
//   stands where the address is 0; the word 0 ends a chain, and means "no memory" as an answer
#pragma once

#include <cstdint>

#include "base/check.h"
#include "base/types.h"
#include "gpu_emu/datasheet/field.h"

namespace pantry::datasheet::tiler_heap {

// Zeroed by the kernel, the firmware's afterwards. In a pool the stride is this rounded up to a
// line of the L2.
inline constexpr std::uint32_t kContextBytes = 32;
inline constexpr std::uint32_t kContextsPerPool = 128;

inline constexpr std::uint64_t kMinChunkBytes = 128 * kKiB;
inline constexpr std::uint64_t kMaxChunkBytes = 8 * kMiB;
inline constexpr std::uint32_t kChunkHeaderBytes = 64;  // u64 word of the next chunk, the rest 0

struct ChunkWord {
  using Pages = Field<11, 0>;  // bytes >> 12
  static constexpr std::uint64_t kAddressMask = ~std::uint64_t{0xfff};
};

// Pre: `first` is page-aligned, `bytes` a multiple of 4 KiB.
constexpr std::uint64_t chunk_word(GpuVa first, std::uint64_t bytes) {
  PANTRY_CHECK(is_aligned(first.value, kPageSize) && is_aligned(bytes, kPageSize));
  PANTRY_CHECK(bytes <= kMaxChunkBytes);
  return first.value | ChunkWord::Pages::of(static_cast<std::uint32_t>(bytes >> kPageShift));
}
constexpr GpuVa chunk_address(std::uint64_t word) { return {word & ChunkWord::kAddressMask}; }
constexpr std::uint64_t chunk_bytes(std::uint64_t word) {
  return std::uint64_t{ChunkWord::Pages::get(word)} << kPageShift;
}

// What a client writes for the tiler, as far as memory is concerned; offsets of u64 fields. The
// context is what the tiler-context register of RUN_IDVS points to (cs_staging.h).
namespace tiler_context {
inline constexpr std::uint32_t kBytes = 64;  // and its alignment
inline constexpr std::uint32_t kHeap = 24;   // address of the heap descriptor
// Words of the first and the last chunk that are full, linked by their first words: what
// FINISH_FRAGMENT gives back. 0: none yet.
inline constexpr std::uint32_t kCompletedTop = 40;
inline constexpr std::uint32_t kCompletedBottom = 48;
}  // namespace tiler_context

// The chunk that is being filled, from `bottom` upwards. It moves on as chunks are full.
namespace heap_descriptor {
inline constexpr std::uint32_t kBytes = 32;  // aligned to 64
inline constexpr std::uint32_t kBase = 8;    // first byte of the chunk: its header
inline constexpr std::uint32_t kBottom = 16;
inline constexpr std::uint32_t kTop = 24;  // one past its last byte
}  // namespace heap_descriptor

}  // namespace pantry::datasheet::tiler_heap
