// SPDX-License-Identifier: MIT
//
// What the registers of an address space hold while its VM is active, and how to find that: the
// root of the page table, the translation mode, and what the attribute indices of its leaves mean
// (panthor-uapi.md D.2, D.3). Pure values; nothing here allocates.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace pantry::driver {

struct AsConfig {
  PhysAddr root;
  std::uint64_t memattr = 0;
  std::uint64_t transcfg = 0;
  constexpr bool operator==(const AsConfig&) const = default;
};

// Whether the device's accesses to DRAM see the caches of the host: table walks may then do so too.
enum class Coherency { kNone, kIo };

// For a table of 4 KiB granules whose leaves use attribute index 0 for uncached and 1 for cached
// memory. `va_bits` 33 to 48.
AsConfig make_as_config(PhysAddr root, std::uint32_t va_bits, Coherency coherency);

// For a table in the format of Midgard and Bifrost (driver/iopgtable/mali_lpae.h), whose mode
// stands in TRANSTAB: AsConfig::root is that whole word (mali-csf-hw.md §1.5, §2.6).
AsConfig make_legacy_as_config(PhysAddr root);

}  // namespace pantry::driver
