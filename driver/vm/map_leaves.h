// SPDX-License-Identifier: MIT
//
// Writes the page-table entries of one new mapping, with the pages that its plan has laid in. Under
// the operation lock, with the range locked and free. Allocates and frees nothing.
//
// In an object file of its own because a host that tests the tests (campaigns/hosts) links another
// body in its place.
#pragma once

#include "driver/gpuvm/va_mapping.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/vm/bind_plan.h"

namespace pantry::driver {

// `wanted`: the mapping as it goes into the VA tree.
void map_leaves(ArmLpaeS1Table& table, const VaMapping& wanted, BindPlan& plan) noexcept;

}  // namespace pantry::driver
