// SPDX-License-Identifier: MIT
//
// The page table of a Mali CSF address space, for several writers of disjoint ranges.
#pragma once

#include "driver/iopgtable/arm_lpae_s1.h"
#include "driver/iopgtable/radix_table.h"

namespace pantry::driver {

extern template class RadixTable<ArmLpaeS1, ManyWriters>;
using ArmLpaeS1SharedTable = RadixTable<ArmLpaeS1, ManyWriters>;

}  // namespace pantry::driver
