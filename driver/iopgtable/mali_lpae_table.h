// SPDX-License-Identifier: MIT
//
// The page table of a Midgard or Bifrost GPU: the legacy mode of the Mali MMU.
#pragma once

#include "driver/iopgtable/mali_lpae.h"
#include "driver/iopgtable/radix_table.h"

namespace pantry::driver {

extern template class RadixTable<MaliLpae>;
using MaliLpaeTable = RadixTable<MaliLpae>;

}  // namespace pantry::driver
