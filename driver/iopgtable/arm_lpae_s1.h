// SPDX-License-Identifier: MIT
//
// The ARMv8 long-descriptor format, stage 1, 4 KiB granule, as Mali's AArch64 address mode uses it:
// everything is unprivileged, accessed and not global, and the attribute index is 1 (write-back) or
// 0 (uncached). The golden words are those of the real driver; bit 55 of table descriptors, by
// which Linux remembers that it cleaned a table out of the CPU cache, means nothing to the device
// and is not needed here.
#pragma once

#include "driver/iopgtable/table_format.h"

namespace pantry::driver {

struct ArmLpaeS1 {
  static constexpr std::uint64_t kValid = 1;        // alone: a block, at heights 1 and 2
  static constexpr std::uint64_t kTableOrPage = 3;  // a page at height 0, a table above
  static constexpr std::uint64_t kTypeMask = 3;
  static constexpr std::uint64_t kAttributeCached = std::uint64_t{1} << 2;
  static constexpr std::uint64_t kUnprivileged = std::uint64_t{1} << 6;
  static constexpr std::uint64_t kReadOnly = std::uint64_t{1} << 7;
  static constexpr std::uint64_t kInnerShareable = std::uint64_t{3} << 8;
  static constexpr std::uint64_t kOuterShareable = std::uint64_t{2} << 8;
  static constexpr std::uint64_t kAccessed = std::uint64_t{1} << 10;
  static constexpr std::uint64_t kNotGlobal = std::uint64_t{1} << 11;
  static constexpr std::uint64_t kNoExec = std::uint64_t{3} << 53;
  static constexpr std::uint64_t kAddressMask = 0x0000'ffff'ffff'f000;

  static constexpr bool supports(const TableConfig& config) {
    const std::uint32_t pa = config.pa_bits;
    return config.va_bits >= 25 && config.va_bits <= 48 &&
           (pa == 32 || pa == 36 || pa == 40 || pa == 42 || pa == 44 || pa == 48);
  }
  static constexpr std::uint64_t leaf(PhysAddr pa, Prot prot, std::uint32_t height) {
    std::uint64_t entry =
        pa.value | (height == 0 ? kTableOrPage : kValid) | kUnprivileged | kAccessed | kNotGlobal;
    entry |= has(prot, Prot::kUncached) ? kOuterShareable : kInnerShareable | kAttributeCached;
    if (has(prot, Prot::kReadOnly)) entry |= kReadOnly;
    if (has(prot, Prot::kNoExec)) entry |= kNoExec;
    return entry;
  }
  static constexpr std::uint64_t leaf_step(std::uint32_t height) {
    return kPageSize << (9 * height);
  }
  static constexpr std::uint64_t table(PhysAddr pa, std::uint32_t) {
    return pa.value | kTableOrPage;
  }
  static constexpr EntryKind kind(std::uint64_t entry, std::uint32_t height) {
    if (!(entry & kValid)) return EntryKind::kAbsent;
    const bool both = (entry & kTypeMask) == kTableOrPage;
    if (height == 0) return both ? EntryKind::kLeaf : EntryKind::kAbsent;
    if (both) return EntryKind::kTable;
    return height <= 2 ? EntryKind::kLeaf : EntryKind::kAbsent;
  }
  static constexpr PhysAddr address(std::uint64_t entry, std::uint32_t) {
    return {entry & kAddressMask};
  }
  static constexpr Prot prot(std::uint64_t entry) {
    Prot prot = Prot::kNone;
    if (entry & kReadOnly) prot |= Prot::kReadOnly;
    if (entry & kNoExec) prot |= Prot::kNoExec;
    if (!(entry & kAttributeCached)) prot |= Prot::kUncached;
    return prot;
  }
};

// Cached read-write page and 2 MiB block, uncached page, read-only page, no-execute page.
static_assert(ArmLpaeS1::leaf({0}, Prot::kNone, 0) == 0xf47);
static_assert(ArmLpaeS1::leaf({0}, Prot::kNone, 1) == 0xf45);
static_assert(ArmLpaeS1::leaf({0}, Prot::kUncached, 0) == 0xe43);
static_assert(ArmLpaeS1::leaf({0}, Prot::kReadOnly, 0) == 0xfc7);
static_assert(ArmLpaeS1::leaf({0}, Prot::kNoExec, 0) == 0x0060'0000'0000'0f47);
static_assert(TableFormat<ArmLpaeS1>);

}  // namespace pantry::driver
