// SPDX-License-Identifier: MIT
#include "gpu_emu/mmu/gpu_memory.h"

#include <algorithm>
#include <cstring>

namespace pantry::emu {
namespace {

// The bytes that the next step of a copy takes. A frame is aligned alike for host and GPU, so a
// word that is aligned here is aligned there.
std::size_t step_of(const std::uint8_t* shared, std::size_t rest) {
  const auto address = reinterpret_cast<std::uintptr_t>(shared);
  if (rest >= 8 && address % 8 == 0) return 8;
  if (rest >= 4 && address % 4 == 0) return 4;
  return 1;
}

template <class Word>
void load_word(std::byte* into, std::uint8_t* shared) {
  const Word word =
      std::atomic_ref<Word>(*reinterpret_cast<Word*>(shared)).load(std::memory_order_acquire);
  std::memcpy(into, &word, sizeof(word));
}

template <class Word>
void store_word(std::uint8_t* shared, const std::byte* from) {
  Word word;
  std::memcpy(&word, from, sizeof(word));
  std::atomic_ref<Word>(*reinterpret_cast<Word*>(shared)).store(word, std::memory_order_release);
}

// The host may use the same memory at the same time, so both directions go by atomic words.
void copy_from_shared(std::byte* into, std::uint8_t* shared, std::size_t bytes) {
  while (bytes != 0) {
    const std::size_t step = step_of(shared, bytes);
    if (step == 8) {
      load_word<std::uint64_t>(into, shared);
    } else if (step == 4) {
      load_word<std::uint32_t>(into, shared);
    } else {
      load_word<std::uint8_t>(into, shared);
    }
    into += step;
    shared += step;
    bytes -= step;
  }
}

void copy_to_shared(std::uint8_t* shared, const std::byte* from, std::size_t bytes) {
  while (bytes != 0) {
    const std::size_t step = step_of(shared, bytes);
    if (step == 8) {
      store_word<std::uint64_t>(shared, from);
    } else if (step == 4) {
      store_word<std::uint32_t>(shared, from);
    } else {
      store_word<std::uint8_t>(shared, from);
    }
    from += step;
    shared += step;
    bytes -= step;
  }
}

}  // namespace

MemoryStatus GpuMemory::probe(AsIndex as, GpuVa va, std::uint64_t bytes, Access access) {
  PANTRY_CHECK(bytes != 0);
  for (std::uint64_t done = 0; done < bytes;) {
    const Translation t = translate(as, va + done, access);
    if (t.status != MemoryStatus::kOk) return t.status;
    done += std::min(t.bytes, bytes - done);
  }
  return MemoryStatus::kOk;
}

MemoryStatus GpuMemory::collect(AsIndex as, GpuVa va, std::size_t bytes, Access access,
                                Pieces& pieces) {
  PANTRY_CHECK(bytes <= kMaxRangeBytes);
  for (std::size_t done = 0; done < bytes;) {
    const Translation t = translate(as, va + done, access);
    if (t.status != MemoryStatus::kOk) return t.status;
    const std::size_t piece = std::min<std::uint64_t>(t.bytes, bytes - done);
    PANTRY_CHECK(pieces.count < pieces.list.size());
    pieces.list[pieces.count++] = {t.host, piece};
    done += piece;
  }
  return MemoryStatus::kOk;
}

MemoryStatus GpuMemory::read(AsIndex as, GpuVa va, std::span<std::byte> into, Access access) {
  Pieces pieces;
  const MemoryStatus status = collect(as, va, into.size(), access, pieces);
  if (status != MemoryStatus::kOk) return status;
  std::byte* to = into.data();
  for (std::size_t n = 0; n < pieces.count; ++n) {
    copy_from_shared(to, pieces.list[n].host, pieces.list[n].bytes);
    to += pieces.list[n].bytes;
  }
  return MemoryStatus::kOk;
}

MemoryStatus GpuMemory::write(AsIndex as, GpuVa va, std::span<const std::byte> from) {
  Pieces pieces;
  const MemoryStatus status = collect(as, va, from.size(), Access::kWrite, pieces);
  if (status != MemoryStatus::kOk) return status;
  const std::byte* next = from.data();
  for (std::size_t n = 0; n < pieces.count; ++n) {
    copy_to_shared(pieces.list[n].host, next, pieces.list[n].bytes);
    next += pieces.list[n].bytes;
  }
  return MemoryStatus::kOk;
}

}  // namespace pantry::emu
