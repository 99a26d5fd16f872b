// SPDX-License-Identifier: MIT
#include "driver/iopgtable/arm_lpae_s2_table.h"

#include "driver/iopgtable/radix_table_impl.h"

namespace pantry::driver {

template class RadixTable<ArmLpaeS2>;

}  // namespace pantry::driver
