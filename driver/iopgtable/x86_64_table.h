// SPDX-License-Identifier: MIT
//
// The page table of an x86-64 processor, or of the first stage of an IOMMU beside one.
#pragma once

#include "driver/iopgtable/x86_64.h"
#include "driver/iopgtable/radix_table.h"

namespace pantry::driver {

extern template class RadixTable<X86_64>;
using X86_64Table = RadixTable<X86_64>;

}  // namespace pantry::driver
