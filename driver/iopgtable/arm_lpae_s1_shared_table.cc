// SPDX-License-Identifier: MIT
#include "driver/iopgtable/arm_lpae_s1_shared_table.h"

#include "driver/iopgtable/radix_table_impl.h"

namespace pantry::driver {

template class RadixTable<ArmLpaeS1, ManyWriters>;

}  // namespace pantry::driver
