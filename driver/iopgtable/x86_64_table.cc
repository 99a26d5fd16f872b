// SPDX-License-Identifier: MIT
#include "driver/iopgtable/x86_64_table.h"

#include "driver/iopgtable/radix_table_impl.h"

namespace pantry::driver {

template class RadixTable<X86_64>;

}  // namespace pantry::driver
