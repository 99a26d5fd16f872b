// SPDX-License-Identifier: MIT
//
// How entries get into a table that the device may be walking at this moment. An entry is 8 bytes
// and must appear whole: one store each, or wide aligned stores, each 8-byte lane of which is
// single-copy atomic on the processors we target. ThreadSanitizer cannot know that, so its build
// uses atomic stores.
//
// Everything written to memory before is visible to a walker that sees the entry (release).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/sanitizer.h"

namespace pantry::driver {

// An entry as a walker reads it: whole, and with everything that was written before it.
inline std::uint64_t load_entry(const std::uint64_t* slot) noexcept {
  return std::atomic_ref<std::uint64_t>(*const_cast<std::uint64_t*>(slot))
      .load(std::memory_order_acquire);
}

inline void store_entry(std::uint64_t* slot, std::uint64_t entry) noexcept {
  std::atomic_ref<std::uint64_t>(*slot).store(entry, std::memory_order_release);
}

// Stores `entry` if the slot holds `expected`, which is set to what it holds otherwise. For entries
// that others write as well: another writer, or the device, which notes dirtiness in leaves.
inline bool replace_entry(std::uint64_t* slot, std::uint64_t& expected,
                          std::uint64_t entry) noexcept {
  return std::atomic_ref<std::uint64_t>(*slot).compare_exchange_strong(
      expected, entry, std::memory_order_acq_rel, std::memory_order_acquire);
}

// Puts `bits` into an entry, or takes them out, whatever else happens to it.
inline void set_bits(std::uint64_t* slot, std::uint64_t bits) noexcept {
  std::atomic_ref<std::uint64_t>(*slot).fetch_or(bits, std::memory_order_acq_rel);
}
inline void clear_bits(std::uint64_t* slot, std::uint64_t bits) noexcept {
  std::atomic_ref<std::uint64_t>(*slot).fetch_and(~bits, std::memory_order_acq_rel);
}

// Stores `entry`, `entry + step`, `entry + 2 * step`, ... to `count` slots. For leaves the step is
// the size of one, for clearing both are 0.
inline void store_run(std::uint64_t* slots, std::uint32_t count, std::uint64_t entry,
                      std::uint64_t step) noexcept {
#if PANTRY_THREAD_SANITIZER
  for (std::uint32_t i = 0; i < count; ++i, entry += step) store_entry(slots + i, entry);
#else
  // Volatile keeps the compiler from turning the loop into a memset, which promises nothing about
  // lanes.
  using Pair [[gnu::vector_size(16), gnu::may_alias]] = std::uint64_t;
  if (count != 0 && reinterpret_cast<std::uintptr_t>(slots) % sizeof(Pair) != 0) {
    store_entry(slots++, entry);
    entry += step;
    --count;
  }
  std::atomic_thread_fence(std::memory_order_release);
  Pair pair = {entry, entry + step};
  const Pair both = {2 * step, 2 * step};
  for (; count >= 2; count -= 2, slots += 2, pair += both)
    *reinterpret_cast<volatile Pair*>(slots) = pair;
  if (count != 0) store_entry(slots, pair[0]);
#endif
}

}  // namespace pantry::driver
