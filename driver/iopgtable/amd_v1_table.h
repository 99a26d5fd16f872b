// SPDX-License-Identifier: MIT
//
// The page table of an AMD IOMMU.
#pragma once

#include "driver/iopgtable/amd_v1.h"
#include "driver/iopgtable/radix_table.h"

namespace pantry::driver {

extern template class RadixTable<AmdV1>;
using AmdV1Table = RadixTable<AmdV1>;

}  // namespace pantry::driver
