// SPDX-License-Identifier: MIT
#include "driver/vm/map_leaves.h"

#include "base/check.h"

namespace pantry::driver {

void map_leaves(ArmLpaeS1Table& table, const VaMapping& wanted, BindPlan& plan) noexcept {
  const MapProgress progress =
      table.map(wanted.range, ExtentCursor(plan.op.buffer->frames(), wanted.offset), plan.op.prot,
                plan.provision.tables());
  // The range is free, and prepare has seen to the pages: an error is our bug.
  PANTRY_CHECK(!progress.error);
}

}  // namespace pantry::driver
