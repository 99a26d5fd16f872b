// SPDX-License-Identifier: MIT
#include "driver/vm/map_leaves.h"

#include "base/check.h"

namespace pantry::driver {

void map_leaves(ArmLpaeS1Table& table, const VaMapping& wanted, BindPlan& plan) noexcept {
  const BindOp& op = plan.op;
  TableReserve& tables = plan.provision.tables();
  const MapProgress progress =
      op.content == BindOp::Content::kRepeated
          ? table.map_repeated(wanted.range, RepeatedFrames(op.buffer->frames()), op.prot, tables)
          : table.map(wanted.range, ExtentCursor(op.buffer->frames(), wanted.offset), op.prot,
                      tables);
  // The range is free, and prepare has seen to the pages: an error is our bug.
  PANTRY_CHECK(!progress.error);
}

}  // namespace pantry::driver
