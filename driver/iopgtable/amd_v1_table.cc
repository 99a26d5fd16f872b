// SPDX-License-Identifier: MIT
#include "driver/iopgtable/amd_v1_table.h"

#include "driver/iopgtable/radix_table_impl.h"

namespace pantry::driver {

template class RadixTable<AmdV1>;

}  // namespace pantry::driver
