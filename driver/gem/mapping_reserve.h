// SPDX-License-Identifier: MIT
//
// A few mappings of this process kept in hand. Linux refuses any mmap, even one that replaces a
// mapping by another, once the process has one more than vm.max_map_count; placing memory may bring
// it there, and then taking it away again would fail. With this, withdrawing a buffer cannot: give
// the reserve up, try again, and take it back while mappings are freed.
//
// Any thread; a lock of its own, not taken inside a SignallingSection.
#pragma once

#include <cstdint>

#include "base/mutex.h"

namespace pantry::driver {

class MappingReserve {
 public:
  MappingReserve();
  ~MappingReserve();
  MappingReserve(const MappingReserve&) = delete;
  MappingReserve& operator=(const MappingReserve&) = delete;

  // From now on the host has room for kMappings more.
  void give_up() noexcept;
  // Undoes give_up as far as the host allows; it is tried again by the next call.
  void take_back() noexcept;

  static constexpr std::uint64_t kMappings = 4;

 private:
  static constexpr std::uint64_t kPages = 2 * kMappings + 1;

  Mutex mutex_;
  // Pages whose access differs from that of their neighbours, so that each is a mapping.
  std::uint8_t* pages_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t held_ PANTRY_GUARDED_BY(mutex_) = 0;
};

}  // namespace pantry::driver
