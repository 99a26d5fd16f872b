// SPDX-License-Identifier: MIT
//
// Many entries of a table stored at a time. Each 8-byte lane of a wide store to slots that are
// aligned to 8 bytes is single-copy atomic on the processors we target, also where the store itself
// is not aligned or is masked: a walker sees each entry whole. ThreadSanitizer cannot know that, so
// its build uses atomic stores.
//
// Everything written to memory before is visible to a walker that sees an entry. Nothing here
// allocates or takes a lock.
#pragma once

#include <cstdint>

#include "base/sanitizer.h"
#include "driver/iopgtable/extent_cursor.h"

namespace pantry::driver {

// Whether the processor has the stores of the functions in ..._wide: 64 bytes, with masks
// (AVX-512), and the build uses them (PANTRY_AVX512). A load and a test.
inline bool has_wide_stores() noexcept {
#if defined(__x86_64__) && !PANTRY_THREAD_SANITIZER && !defined(PANTRY_NO_AVX512)
  return __builtin_cpu_supports("avx512f");
#else
  return false;
#endif
}

// `entry`, `entry + step`, `entry + 2 * step`, ... to `count` slots. `step` is below 4 GiB.
void store_run_portable(std::uint64_t* slots, std::uint32_t count, std::uint64_t entry,
                        std::uint64_t step) noexcept;
// Pre: has_wide_stores().
void store_run_wide(std::uint64_t* slots, std::uint32_t count, std::uint64_t entry,
                    std::uint64_t step) noexcept;

// What the caller has to check of the frames that were stored, together: bits that are set in any
// of them.
struct FrameBits {
  std::uint64_t low = 0;   // of starts and sizes of extents: below kPageSize, none
  std::uint64_t high = 0;  // of the last bytes of frames: none that the format has no room for
};

// The leaves of `count` pages, which `frames` has next, to as many slots: each the address of its
// frame with `attributes`. Pre: `frames` has as many (CHECK).
FrameBits store_pages_portable(std::uint64_t* slots, std::uint32_t count, ExtentCursor& frames,
                               std::uint64_t attributes) noexcept;
// Pre: has_wide_stores().
FrameBits store_pages_wide(std::uint64_t* slots, std::uint32_t count, ExtentCursor& frames,
                           std::uint64_t attributes) noexcept;

}  // namespace pantry::driver
