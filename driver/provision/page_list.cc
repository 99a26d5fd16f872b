// SPDX-License-Identifier: MIT
#include "driver/provision/page_list.h"

#include <cstdlib>
#include <new>

namespace pantry::driver {

// calloc: zeroed without being touched, so that a frame that is never a table page costs nothing.
PageLinks::PageLinks(emu::Dram dram)
    : dram_(dram),
      next_(
          static_cast<std::uint32_t*>(std::calloc(dram.size / kPageSize, sizeof(std::uint32_t)))) {
  if (!next_) throw std::bad_alloc();
}

void PageLinks::Release::operator()(std::uint32_t* links) const { std::free(links); }

}  // namespace pantry::driver
