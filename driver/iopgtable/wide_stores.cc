// SPDX-License-Identifier: MIT
#include "driver/iopgtable/wide_stores.h"

#include <algorithm>
#include <atomic>

#include "base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pantry::driver {
namespace {

void store(std::uint64_t* slot, std::uint64_t entry) {
  std::atomic_ref<std::uint64_t>(*slot).store(entry, std::memory_order_release);
}

#if defined(__x86_64__) && !PANTRY_THREAD_SANITIZER
// 32 bytes at a time, aligned, but for the ends.
[[gnu::target("avx2")]] void store_run_avx2(std::uint64_t* slots, std::uint32_t count,
                                            std::uint64_t entry, std::uint64_t step) {
  for (; count != 0 && reinterpret_cast<std::uintptr_t>(slots) % 32 != 0; --count, entry += step)
    store(slots++, entry);
  std::atomic_thread_fence(std::memory_order_release);
  using Quad [[gnu::vector_size(32), gnu::may_alias]] = std::uint64_t;
  Quad quad = {entry, entry + step, entry + 2 * step, entry + 3 * step};
  const std::uint64_t four = 4 * step;
  const Quad four_steps = {four, four, four, four};
  for (; count >= 4; count -= 4, slots += 4, entry += four, quad += four_steps)
    *reinterpret_cast<volatile Quad*>(slots) = quad;
  for (; count != 0; --count, entry += step) store(slots++, entry);
}
#endif

}  // namespace

void store_run_portable(std::uint64_t* slots, std::uint32_t count, std::uint64_t entry,
                        std::uint64_t step) noexcept {
#if PANTRY_THREAD_SANITIZER
  for (std::uint32_t i = 0; i < count; ++i, entry += step) store(slots + i, entry);
#else
#if defined(__x86_64__)
  if (count >= 8 && __builtin_cpu_supports("avx2"))
    return store_run_avx2(slots, count, entry, step);
#endif
  // Volatile keeps the compiler from turning the loop into a memset, which promises nothing about
  // lanes.
  using Pair [[gnu::vector_size(16), gnu::may_alias]] = std::uint64_t;
  if (count != 0 && reinterpret_cast<std::uintptr_t>(slots) % sizeof(Pair) != 0) {
    store(slots++, entry);
    entry += step;
    --count;
  }
  std::atomic_thread_fence(std::memory_order_release);
  Pair pair = {entry, entry + step};
  const Pair both = {2 * step, 2 * step};
  for (; count >= 2; count -= 2, slots += 2, pair += both)
    *reinterpret_cast<volatile Pair*>(slots) = pair;
  if (count != 0) store(slots, pair[0]);
#endif
}

FrameBits store_pages_portable(std::uint64_t* slots, std::uint32_t count, ExtentCursor& frames,
                               std::uint64_t attributes) noexcept {
  FrameBits bits;
  const PhysExtent* extent = frames.extents().data();
  const PhysExtent* const end = extent + frames.extents().size();
  std::uint64_t into = frames.into();
  while (count != 0) {
    PANTRY_CHECK(extent != end);
    const std::uint64_t frame = extent->start.value + into;
    const std::uint64_t size = extent->size - into;
    bits.low |= frame | size;
    std::uint32_t pages = 1;
    if (size == kPageSize) {
      store(slots, frame | attributes);
    } else {
      pages = static_cast<std::uint32_t>(std::min<std::uint64_t>(size / kPageSize, count));
      store_run_portable(slots, pages, frame | attributes, kPageSize);
    }
    if (pages != 0) bits.high |= frame + pages * kPageSize - 1;
    slots += pages;
    count -= pages;
    into += pages * kPageSize;
    if (into == extent->size || pages == 0) {
      ++extent;
      into = 0;
    }
  }
  frames = ExtentCursor({extent, end}, into);
  return bits;
}

#if defined(__x86_64__)
namespace {

// A macro, because a target must stand at every function that uses it.
#define PANTRY_AVX512 gnu::target("avx512f")

[[PANTRY_AVX512, gnu::always_inline]] inline __m512i all(std::uint64_t value) {
  return _mm512_set1_epi64(static_cast<long long>(value));
}

// `step`, which has 32 bits, times 0 to 7.
[[PANTRY_AVX512, gnu::always_inline]] inline __m512i ramp(std::uint64_t step) {
  // With a mask of all, since GCC 12 takes the operand that others leave undefined for our mistake.
  return _mm512_maskz_mul_epu32(0xff, _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), all(step));
}

// Up to 16 entries, the first eight of which are `first`.
[[PANTRY_AVX512, gnu::always_inline]] inline void store_few(std::uint64_t* slots,
                                                            std::uint32_t count, __m512i first,
                                                            __m512i eight_steps) {
  const std::uint32_t lanes = (1u << count) - 1;
  _mm512_mask_storeu_epi64(slots, static_cast<__mmask8>(lanes), first);
  _mm512_mask_storeu_epi64(slots + 8, static_cast<__mmask8>(lanes >> 8),
                           _mm512_add_epi64(first, eight_steps));
}

// More than 16: aligned stores, but for the ends.
[[PANTRY_AVX512, gnu::always_inline]] inline void store_many(std::uint64_t* slots,
                                                             std::uint32_t count, __m512i first,
                                                             std::uint64_t step) {
  const std::uint32_t head =
      static_cast<std::uint32_t>(-(reinterpret_cast<std::uintptr_t>(slots) / 8) % 8);
  _mm512_mask_storeu_epi64(slots, static_cast<__mmask8>((1u << head) - 1), first);
  slots += head;
  count -= head;
  __m512i entries = _mm512_add_epi64(first, all(head * step));
  const __m512i eight_steps = all(8 * step);
  for (; count >= 8; count -= 8, slots += 8, entries = _mm512_add_epi64(entries, eight_steps))
    _mm512_store_si512(slots, entries);
  _mm512_mask_storeu_epi64(slots, static_cast<__mmask8>((1u << count) - 1), entries);
}

}  // namespace

[[PANTRY_AVX512]] void store_run_wide(std::uint64_t* slots, std::uint32_t count,
                                      std::uint64_t entry, std::uint64_t step) noexcept {
  std::atomic_thread_fence(std::memory_order_release);
  const __m512i first = _mm512_add_epi64(all(entry), ramp(step));
  if (count <= 16)
    store_few(slots, count, first, all(8 * step));
  else
    store_many(slots, count, first, step);
}

[[PANTRY_AVX512]] FrameBits store_pages_wide(std::uint64_t* slots, std::uint32_t count,
                                             ExtentCursor& frames,
                                             std::uint64_t attributes) noexcept {
  std::atomic_thread_fence(std::memory_order_release);
  const __m512i starts_of_eight = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i sizes_of_eight = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
  static_assert(sizeof(PhysExtent) == 16);
  const __m512i page = all(kPageSize);
  const __m512i offsets = _mm512_add_epi64(ramp(kPageSize), all(attributes));
  const __m512i eight_pages = all(8 * kPageSize);
  __m512i single_frames = _mm512_setzero_si512();
  FrameBits bits;
  const PhysExtent* extent = frames.extents().data();
  const PhysExtent* const end = extent + frames.extents().size();
  std::uint64_t into = frames.into();
  while (count != 0) {
    const PhysExtent* stop = end;
    if (end - extent >= 8) {
      // Eight extents of one page each are one store; eight others are not looked at again.
      if (count >= 8 && into == 0) {
        const __m512i low = _mm512_loadu_si512(extent);
        const __m512i high = _mm512_loadu_si512(extent + 4);
        const __m512i sizes = _mm512_permutex2var_epi64(low, sizes_of_eight, high);
        if (_mm512_cmpneq_epi64_mask(sizes, page) == 0) {
          const __m512i starts = _mm512_permutex2var_epi64(low, starts_of_eight, high);
          single_frames = _mm512_or_epi64(single_frames, starts);
          _mm512_storeu_si512(slots, _mm512_or_epi64(starts, all(attributes)));
          slots += 8;
          count -= 8;
          extent += 8;
          continue;
        }
      }
      stop = extent + 8;
    }
    PANTRY_CHECK(extent != end);
    for (; extent != stop && count != 0; ++extent) {
      const std::uint64_t frame = extent->start.value + into;
      const std::uint64_t size = extent->size - into;
      bits.low |= frame | size;
      const std::uint32_t pages =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(size / kPageSize, count));
      const __m512i first = _mm512_add_epi64(all(frame), offsets);
      if (pages <= 16)
        store_few(slots, pages, first, eight_pages);
      else
        store_many(slots, pages, first, kPageSize);
      // Of an extent of nothing, which is aligned if it is anything, that of the byte before.
      bits.high |= pages != 0 ? frame + pages * kPageSize - 1 : 0;
      slots += pages;
      count -= pages;
      into = size == pages * kPageSize ? 0 : into + pages * kPageSize;
      if (into != 0 && count == 0) break;  // the rest of it is next
      into = 0;
    }
  }
  alignas(64) std::uint64_t lanes[8];
  _mm512_store_si512(lanes, single_frames);
  std::uint64_t singles = 0;
  for (const std::uint64_t lane : lanes) singles |= lane;
  bits.low |= singles;
  bits.high |= singles;
  frames = ExtentCursor({extent, end}, into);
  return bits;
}

#undef PANTRY_AVX512
#else
void store_run_wide(std::uint64_t* slots, std::uint32_t count, std::uint64_t entry,
                    std::uint64_t step) noexcept {
  store_run_portable(slots, count, entry, step);
}
FrameBits store_pages_wide(std::uint64_t* slots, std::uint32_t count, ExtentCursor& frames,
                           std::uint64_t attributes) noexcept {
  return store_pages_portable(slots, count, frames, attributes);
}
#endif

}  // namespace pantry::driver
