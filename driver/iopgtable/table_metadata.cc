// SPDX-License-Identifier: MIT
#include "driver/iopgtable/table_metadata.h"

#include <cstdlib>
#include <new>

namespace pantry::driver {

static_assert(std::is_trivially_destructible_v<TableInfo>);

// calloc, since it gives large zeroed memory without touching it: a frame that never holds a table
// costs nothing.
TableMetadata::TableMetadata(emu::Dram dram)
    : dram_(dram),
      infos_(static_cast<TableInfo*>(std::calloc(dram.size / kPageSize, sizeof(TableInfo)))) {
  if (!infos_) throw std::bad_alloc();
}

void TableMetadata::Release::operator()(TableInfo* infos) const { std::free(infos); }

}  // namespace pantry::driver
