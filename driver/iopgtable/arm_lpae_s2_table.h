// SPDX-License-Identifier: MIT
//
// The page table of a second translation stage: of a virtual machine, or behind an SMMU.
#pragma once

#include "driver/iopgtable/arm_lpae_s2.h"
#include "driver/iopgtable/radix_table.h"

namespace pantry::driver {

extern template class RadixTable<ArmLpaeS2>;
using ArmLpaeS2Table = RadixTable<ArmLpaeS2>;

}  // namespace pantry::driver
