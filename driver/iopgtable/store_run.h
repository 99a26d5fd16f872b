// SPDX-License-Identifier: MIT
//
// How entries get into a table that the device may be walking at this moment. An entry is 8 bytes
// and must appear whole: one store each, or wide stores (wide_stores.h).
//
// Everything written to memory before is visible to a walker that sees the entry (release).
#pragma once

#include <atomic>
#include <cstdint>

#include "driver/iopgtable/wide_stores.h"

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
// the size of one, for clearing both are 0. The widest stores of the processor are used.
inline void store_run(std::uint64_t* slots, std::uint32_t count, std::uint64_t entry,
                      std::uint64_t step) noexcept {
  if (count == 1) return store_entry(slots, entry);
  if (has_wide_stores()) return store_run_wide(slots, count, entry, step);
  store_run_portable(slots, count, entry, step);
}

}  // namespace pantry::driver
