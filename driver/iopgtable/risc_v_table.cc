// SPDX-License-Identifier: MIT
#include "driver/iopgtable/risc_v_table.h"

#include "driver/iopgtable/radix_table_impl.h"

namespace pantry::driver {

template class RadixTable<RiscV>;

}  // namespace pantry::driver
