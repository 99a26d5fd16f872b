// SPDX-License-Identifier: MIT
//
// The page table of a Mali CSF address space.
#pragma once

#include "driver/iopgtable/arm_lpae_s1.h"
#include "driver/iopgtable/radix_table.h"

namespace pantry::driver {

extern template class RadixTable<ArmLpaeS1>;
using ArmLpaeS1Table = RadixTable<ArmLpaeS1>;

}  // namespace pantry::driver
