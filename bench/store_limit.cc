// SPDX-License-Identifier: MIT
#include "bench/store_limit.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pantry::bench {

#if defined(__x86_64__)
namespace {

enum class Way { kCached, kStreaming };

template <Way way>
__attribute__((target("avx512f"))) void store_512(std::uint64_t* slots, std::uint64_t count,
                                                  std::uint64_t first, std::uint64_t step) {
  const auto at = [&](std::uint64_t i) { return static_cast<long long>(first + i * step); };
  __m512i entry = _mm512_set_epi64(at(7), at(6), at(5), at(4), at(3), at(2), at(1), at(0));
  const __m512i next = _mm512_set1_epi64(static_cast<long long>(8 * step));
  for (; count != 0; count -= 8, slots += 8, entry = _mm512_add_epi64(entry, next)) {
    if constexpr (way == Way::kCached)
      _mm512_store_si512(slots, entry);
    else
      _mm512_stream_si512(reinterpret_cast<__m512i*>(slots), entry);
  }
}

template <Way way>
void store_128(std::uint64_t* slots, std::uint64_t count, std::uint64_t first, std::uint64_t step) {
  __m128i entry =
      _mm_set_epi64x(static_cast<long long>(first + step), static_cast<long long>(first));
  const __m128i next = _mm_set1_epi64x(static_cast<long long>(2 * step));
  for (; count != 0; count -= 2, slots += 2, entry = _mm_add_epi64(entry, next)) {
    if constexpr (way == Way::kCached)
      _mm_store_si128(reinterpret_cast<__m128i*>(slots), entry);
    else
      _mm_stream_si128(reinterpret_cast<__m128i*>(slots), entry);
  }
}

template <Way way>
void store(std::uint64_t* slots, std::uint64_t count, std::uint64_t first, std::uint64_t step) {
#if defined(PANTRY_NO_AVX512)
  constexpr bool widest = false;
#else
  const bool widest = __builtin_cpu_supports("avx512f");
#endif
  if (widest)
    store_512<way>(slots, count, first, step);
  else
    store_128<way>(slots, count, first, step);
  if constexpr (way == Way::kStreaming) _mm_sfence();
}

}  // namespace

void store_cached(std::uint64_t* slots, std::uint64_t count, std::uint64_t first,
                  std::uint64_t step) {
  store<Way::kCached>(slots, count, first, step);
}
void store_streaming(std::uint64_t* slots, std::uint64_t count, std::uint64_t first,
                     std::uint64_t step) {
  store<Way::kStreaming>(slots, count, first, step);
}
#else
void store_cached(std::uint64_t* slots, std::uint64_t count, std::uint64_t first,
                  std::uint64_t step) {
  for (std::uint64_t i = 0; i < count; ++i) slots[i] = first + i * step;
}
void store_streaming(std::uint64_t* slots, std::uint64_t count, std::uint64_t first,
                     std::uint64_t step) {
  store_cached(slots, count, first, step);
}
#endif

}  // namespace pantry::bench
