// SPDX-License-Identifier: MIT
//
// The second stage of an Intel IOMMU.
#pragma once

#include "driver/iopgtable/radix_table.h"
#include "driver/iopgtable/vtd_second_stage.h"

namespace pantry::driver {

extern template class RadixTable<VtdSecondStage>;
using VtdSecondStageTable = RadixTable<VtdSecondStage>;

}  // namespace pantry::driver
