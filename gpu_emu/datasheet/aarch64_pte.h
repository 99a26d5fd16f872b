// SPDX-License-Identifier: MIT
//
// Where the bits of an AArch64 stage-1 descriptor with a 4 KiB granule stand
// (AddressMode::kAarch64_4k). Layout only, on purpose: the writer (driver/iopgtable) and the walker
// (gpu_emu/mmu) each build their own reading on it, so that one checks the other. Sources: [K],
// [B].
//
//   cached RW page 0xf47, cached RW block 0xf45, uncached RW page 0xe43; read-only adds 0x80,
//   no-execute 3 << 53
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/field.h"

namespace pantry::datasheet::aarch64_pte {

inline constexpr unsigned kGranuleShift = 12;
inline constexpr unsigned kIndexBits = 9;  // of the virtual address, per level; level 3 is the last
inline constexpr unsigned kEntryBytes = 8;

enum class Type : std::uint8_t {
  kInvalid = 0,
  kBlock = 1,         // a leaf at levels 1 and 2; invalid at levels 0 and 3
  kInvalidKbase = 2,  // invalid as well; what kbase writes
  kTableOrPage = 3,   // a table at levels 0 to 2, a page at level 3
};
using DescriptorType = Field<1, 0, Type>;

// Of leaves.
enum class Shareability : std::uint8_t { kNone = 0, kOuter = 2, kInner = 3 };
using AttrIndex = Field<4, 2>;  // into MEMATTR: Panthor has 1 cached, 0 uncached
using NonSecure = Bit<5>;
using ApUnprivileged = Bit<6>;  // always set for the GPU
using ApReadOnly = Bit<7>;
using LeafShareability = Field<9, 8, Shareability>;
using AccessFlag = Bit<10>;
using NotGlobal = Bit<11>;
using DirtyModifier = Bit<51>;
using Contiguous = Bit<52>;
using PrivilegedExecuteNever = Bit<53>;  // either of the two makes a leaf no-execute
using ExecuteNever = Bit<54>;

// The output address, in place.
inline constexpr std::uint64_t kAddressMask = 0x0000'ffff'ffff'f000;    // 47:12 page or table
inline constexpr std::uint64_t kBlock2MibMask = 0x0000'ffff'ffe0'0000;  // 47:21 block at level 2
inline constexpr std::uint64_t kBlock1GibMask = 0x0000'ffff'c000'0000;  // 47:30 block at level 1

// Ignored by the hardware. Linux marks table descriptors as written back when walks are not
// coherent.
using Software = Field<58, 55>;
using TableSynced = Bit<55>;

// Of tables, for everything below them; no driver sets them.
using TablePxn = Bit<59>;
using TableXn = Bit<60>;
using TableAp = Field<62, 61>;
using TableNonSecure = Bit<63>;

}  // namespace pantry::datasheet::aarch64_pte
