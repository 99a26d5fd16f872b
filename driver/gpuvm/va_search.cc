// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_search.h"

#include "base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pantry::driver {

namespace {

// Three ways to tell how many of a node's keys are below `key`.

// Without a branch that could be mispredicted, but each load waits for the one before.
template <std::uint32_t kWidth>
[[gnu::always_inline]] inline std::uint32_t rank_by_halves(const VaNode::Key* keys,
                                                           VaNode::Key key) {
  std::uint32_t below = 0;
  for (std::uint32_t left = kWidth; left != 1; left -= left / 2)
    below += keys[below + left / 2 - 1] < key ? left / 2 : 0;
  return below + (keys[below] < key);
}

#if defined(__x86_64__)
// All loads at once. Of a constant length, so that compilers vectorise it at -O2.
template <std::uint32_t kWidth>
[[gnu::always_inline]] inline std::uint32_t rank_by_counting(const VaNode::Key* keys,
                                                             VaNode::Key key) {
  std::int64_t below = 0;
  for (std::uint32_t i = 0; i < kWidth; ++i) below += keys[i] < key;
  return static_cast<std::uint32_t>(below);
}

// The same with mask registers, which no compiler makes of that loop: it would add up lanes, which
// takes longer than the comparisons.
template <std::uint32_t kWidth>
[[gnu::always_inline, gnu::target("avx512f,popcnt")]] inline std::uint32_t rank_by_masks(
    const VaNode::Key* keys, VaNode::Key key) {
  const __m512i wanted = _mm512_set1_epi64(key);
  std::uint32_t below = 0;
#pragma GCC unroll 16
  for (std::uint32_t i = 0; i < kWidth; i += 8) {
    const __mmask8 mask = _mm512_cmplt_epi64_mask(_mm512_load_si512(keys + i), wanted);
    below += static_cast<std::uint32_t>(__builtin_popcount(mask));
  }
  return below;
}
#endif

// The lines of a node that a search does not read but what follows it will: asked for together with
// the keys, they do not cost a second wait.
[[gnu::always_inline]] inline void prefetch_children(const VaNode& node) {
#pragma GCC unroll 16
  for (std::uint32_t slot = 0; slot < VaNode::kInnerWidth; slot += 8)
    __builtin_prefetch(node.inner.children + slot);
}
[[gnu::always_inline]] inline void prefetch_records(const VaNode& node) {
#pragma GCC unroll 16
  for (std::uint32_t slot = 0; slot < VaNode::kLeafWidth; slot += 4)
    __builtin_prefetch(node.leaf.records + slot);
}

// A macro, because a template cannot pass its caller's instruction set on to what it inlines.
#define PANTRY_DEFINE_SEARCH(isa, rank, ...)                                                       \
  __VA_ARGS__ [[gnu::always_inline]] inline VaStep search_##isa(                                   \
      VaNode* node, std::uint32_t levels, VaNode::Key key, VaStep* path) noexcept {                \
    for (std::uint32_t level = levels - 1; level != 0; --level) {                                  \
      const std::uint32_t slot = rank<VaNode::kInnerWidth>(node->inner.keys, key);                 \
      prefetch_children(*node);                                                                    \
      if (path) path[level] = {node, slot};                                                        \
      node = node->inner.children[slot];                                                           \
    }                                                                                              \
    const VaStep step{node, rank<VaNode::kLeafWidth>(node->leaf.keys, key)};                       \
    prefetch_records(*node);                                                                       \
    return step;                                                                                   \
  }                                                                                                \
  __VA_ARGS__ void descend_##isa(VaNode* root, std::uint32_t levels, VaNode::Key key,              \
                                 VaStep* path) noexcept {                                          \
    path[0] = search_##isa(root, levels, key, path);                                               \
  }                                                                                                \
  __VA_ARGS__ VaStep look_up_##isa(VaNode* root, std::uint32_t levels, VaNode::Key key) noexcept { \
    return search_##isa(root, levels, key, nullptr);                                               \
  }

PANTRY_DEFINE_SEARCH(portable, rank_by_halves)
#if defined(__x86_64__)
PANTRY_DEFINE_SEARCH(avx2, rank_by_counting, [[gnu::target("avx2")]])
PANTRY_DEFINE_SEARCH(avx512, rank_by_masks, [[gnu::target("avx512f,popcnt")]])
#endif

#undef PANTRY_DEFINE_SEARCH

}  // namespace

bool available(VaSearch search) noexcept {
#if defined(__x86_64__)
  switch (search) {
    case VaSearch::kPortable:
      return true;
    case VaSearch::kAvx2:
      return __builtin_cpu_supports("avx2");
    case VaSearch::kAvx512:
#if defined(PANTRY_NO_AVX512)
      return false;
#else
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("popcnt");
#endif
  }
#endif
  return search == VaSearch::kPortable;
}

VaSearch fastest_va_search() noexcept {
  for (const VaSearch search : {VaSearch::kAvx512, VaSearch::kAvx2})
    if (available(search)) return search;
  return VaSearch::kPortable;
}

VaDescent descent(VaSearch search) noexcept {
  PANTRY_CHECK(available(search));
#if defined(__x86_64__)
  if (search == VaSearch::kAvx512) return descend_avx512;
  if (search == VaSearch::kAvx2) return descend_avx2;
#endif
  return descend_portable;
}

VaLookup lookup(VaSearch search) noexcept {
  PANTRY_CHECK(available(search));
#if defined(__x86_64__)
  if (search == VaSearch::kAvx512) return look_up_avx512;
  if (search == VaSearch::kAvx2) return look_up_avx2;
#endif
  return look_up_portable;
}

}  // namespace pantry::driver
