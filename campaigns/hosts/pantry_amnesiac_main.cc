// SPDX-License-Identifier: MIT
//
// `pantry` with a driver that says yes to every bind of a client and writes no page-table entry for
// it. What the driver maps for itself is there, so jobs start. Only to test tests
// (campaigns/effects).
#include "base/check.h"
#include "driver/vm/map_leaves.h"
#include "tools/command_line.h"

namespace pantry::driver {

// Stands in for driver/vm/map_leaves.cc, which the linker leaves out since nothing is missing any
// more.
void map_leaves(ArmLpaeS1Table& table, const VaMapping& wanted, BindPlan& plan) noexcept {
  if (plan.owner == MappingOwner::kUser) return;
  const MapProgress progress =
      table.map(wanted.range, ExtentCursor(plan.op.buffer->frames(), wanted.offset), plan.op.prot,
                plan.provision.tables());
  PANTRY_CHECK(!progress.error);
}

}  // namespace pantry::driver

int main(int argc, char** argv) { return pantry::tools::command_line(argc, argv, {}); }
