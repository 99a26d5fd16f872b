// SPDX-License-Identifier: MIT
//
// Where the spaces of a history have what, and the arrays of its calls.
#pragma once

#include <drm/panthor_drm.h>

#include <cstdint>
#include <vector>

#include "igt_tests/lib/vm.h"

namespace history {

inline constexpr uint64_t kCodeVa = 0x0100'0000;
inline constexpr uint64_t kCodeBytes = 64 * 1024;
inline constexpr uint64_t kStreamBytes = 4096;  // room for one step's stream
inline constexpr uint64_t kWindowVa = 4 * gpu::kGigabyte;
inline constexpr uint64_t kWindowBytes = 4 * gpu::kBlock;
// What a stream stores lies in the first bytes of a page.
inline constexpr uint64_t kTouchedBytes = 64;

template <class Item>
drm_panthor_obj_array array_of(const std::vector<Item>& items) {
  return {sizeof(Item), static_cast<uint32_t>(items.size()),
          reinterpret_cast<uint64_t>(items.data())};
}

}  // namespace history
