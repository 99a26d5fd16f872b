// SPDX-License-Identifier: MIT
#include "driver/iopgtable/mali_lpae_table.h"

#include "driver/iopgtable/radix_table_impl.h"

namespace pantry::driver {

template class RadixTable<MaliLpae>;

}  // namespace pantry::driver
