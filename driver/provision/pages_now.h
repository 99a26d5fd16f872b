// SPDX-License-Identifier: MIT
//
// What a bind takes if it runs before anything else does, in the page table as it stands.
#pragma once

#include <cstdint>

#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/provision/bind_shape.h"

namespace pantry::driver {

// Pages. Pre: the operation lock is held. Allocates nothing. Linear in the windows of `shape`,
// unless all of it lies in one table that stands, from which the next edit then starts.
inline std::uint32_t pages_now(const BindShape& shape, ArmLpaeS1Table& table) noexcept {
  using Standing = ArmLpaeS1Table::Standing;
  const std::uint32_t own = repeated_pages(shape, table.config());
  // The tables around a table stand as well.
  const TableWindow innermost = TableWindow::around(shape.range.first, 0);
  if (innermost == TableWindow::around(shape.range.last, 0) &&
      table.standing(innermost) == Standing::kTable)
    return own;
  std::uint32_t missing = 0;
  for_each_window(shape, table.config(), [&](TableWindow window) {
    const Standing standing = table.standing(window);
    // Where nothing stands, only a map makes a table.
    missing += standing == Standing::kLeaf ||
               (standing == Standing::kNothing && shape.kind != BindShape::Kind::kUnmap);
  });
  return missing + own;
}

}  // namespace pantry::driver
