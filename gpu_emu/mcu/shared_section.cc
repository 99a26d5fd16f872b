// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/shared_section.h"

#include <algorithm>

namespace pantry::emu {

MemoryStatus SharedSection::open(GpuMemory& memory) {
  constexpr AsIndex kFirmwareSpace{0};
  constexpr GpuVa kSection{datasheet::firmware_interface::kSharedSectionVa};

  for (std::uint32_t page = 0; page < kPages;) {
    const Translation t =
        memory.translate(kFirmwareSpace, kSection + page * kPageSize, Access::kWrite);
    if (t.status != MemoryStatus::kOk) return t.status;
    PANTRY_CHECK(t.bytes >= kPageSize);
    // One answer may cover several pages.
    const std::uint64_t covered = std::min<std::uint64_t>(t.bytes / kPageSize, kPages - page);
    for (std::uint64_t i = 0; i < covered; ++i, ++page) pages_[page] = t.host + i * kPageSize;
  }
  return MemoryStatus::kOk;
}

}  // namespace pantry::emu
