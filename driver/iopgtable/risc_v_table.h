// SPDX-License-Identifier: MIT
//
// The page table of a RISC-V processor or IOMMU.
#pragma once

#include "driver/iopgtable/radix_table.h"
#include "driver/iopgtable/risc_v.h"

namespace pantry::driver {

extern template class RadixTable<RiscV>;
using RiscVTable = RadixTable<RiscV>;

}  // namespace pantry::driver
