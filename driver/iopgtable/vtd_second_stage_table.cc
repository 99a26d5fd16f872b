// SPDX-License-Identifier: MIT
#include "driver/iopgtable/vtd_second_stage_table.h"

#include "driver/iopgtable/radix_table_impl.h"

namespace pantry::driver {

template class RadixTable<VtdSecondStage>;

}  // namespace pantry::driver
