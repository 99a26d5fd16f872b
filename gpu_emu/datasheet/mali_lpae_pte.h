// SPDX-License-Identifier: MIT
//
// Where the bits of a Midgard and Bifrost descriptor stand (AddressMode::kLegacy): like AArch64
// with a 4 KiB granule, but always four levels, physical addresses of 40 bits, a leaf of type 1 at
// every level, and stage-2 permissions. Not used by CSF parts. Layout only (see aarch64_pte.h).
// Source: [K].
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/field.h"

namespace pantry::datasheet::mali_lpae_pte {

inline constexpr unsigned kGranuleShift = 12;
inline constexpr unsigned kIndexBits = 9;
inline constexpr unsigned kEntryBytes = 8;
inline constexpr unsigned kLevels = 4;

enum class Type : std::uint8_t { kInvalid = 0, kLeaf = 1, kTable = 3 };
using DescriptorType = Field<1, 0, Type>;

using AttrIndex = Field<4, 2>;
using Read = Bit<6>;
using Write = Bit<7>;
using Shareability = Field<9, 8>;  // always 2: outer, which to a Mali means outside of the GPU
using PrivilegedExecuteNever = Bit<53>;
using ExecuteNever = Bit<54>;

inline constexpr std::uint64_t kAddressMask = 0x0000'00ff'ffff'f000;  // 39:12

}  // namespace pantry::datasheet::mali_lpae_pte
