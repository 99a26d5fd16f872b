// SPDX-License-Identifier: MIT
//
// Where a table stands: the aligned part of the address space that one table covers. A table whose
// entries are of 4 KiB (height 0) covers 2 MiB, one of 2 MiB entries (height 1) 1 GiB, and so on.
// At most one table of a page table stands for a window; windows of the same height do not overlap.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace pantry::driver {

struct TableWindow {
  std::uint32_t height = 0;  // of the entries of its table
  std::uint64_t number = 0;  // address / size
  constexpr bool operator==(const TableWindow&) const = default;

  // log2 of the size: shift(0) == 21
  static constexpr std::uint32_t shift(std::uint32_t height) {
    return static_cast<std::uint32_t>(kPageShift) + 9 * (height + 1);
  }
  // The one that holds `va`: around({0x40201000}, 0).number == 0x201
  static constexpr TableWindow around(GpuVa va, std::uint32_t height) {
    return {height, va.value >> shift(height)};
  }
  constexpr GpuVa first() const { return {number << shift(height)}; }
  // A number that no other window of the same page table has.
  constexpr std::uint64_t key() const { return number << 3 | height; }
  static constexpr TableWindow of_key(std::uint64_t key) {
    return {static_cast<std::uint32_t>(key & 7), key >> 3};
  }
};

static_assert(TableWindow::around({0x4020'1000}, 0) == TableWindow{0, 0x201});
static_assert(TableWindow::around({0x4020'1000}, 1) == TableWindow{1, 1});
static_assert(TableWindow{1, 1}.first() == GpuVa{kGiB});

}  // namespace pantry::driver
