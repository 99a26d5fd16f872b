// SPDX-License-Identifier: MIT
//
// The ARMv8 long-descriptor format, stage 1, 4 KiB granule, as Mali's AArch64 address mode uses it:
// everything is unprivileged, accessed and not global, and the attribute index is 1 (write-back) or
// 0 (uncached). The golden words are those of the real driver. Bit 55 of table descriptors, by
// which Linux remembers that it cleaned a table out of the CPU cache, means nothing to the device
// and is not needed here.
//
// Dirty state (FEAT_HAFDBS): with the dirty-bit modifier a leaf that is read-only is "writeable
// clean", and the walker makes it writable on the first write. Taking the write permission away
// would forget that, so the fact moves to bit 56, which hardware ignores.
#pragma once

#include "driver/iopgtable/table_format.h"
#include "gpu_emu/datasheet/aarch64_pte.h"

namespace pantry::driver {

namespace aarch64_pte = datasheet::aarch64_pte;

struct ArmLpaeS1 {
  static constexpr bool supports(const TableConfig& config) {
    const std::uint32_t pa = config.pa_bits;
    return config.va_bits >= 25 && config.va_bits <= 48 && config.min_levels <= 1 &&
           (pa == 32 || pa == 36 || pa == 40 || pa == 42 || pa == 44 || pa == 48);
  }

  static constexpr std::uint64_t leaf(PhysAddr pa, Prot prot, std::uint32_t height) {
    const bool cached = !has(prot, Prot::kUncached);
    const bool no_exec = has(prot, Prot::kNoExec);
    return pa.value |
           aarch64_pte::DescriptorType::of(height == 0 ? aarch64_pte::Type::kTableOrPage
                                                       : aarch64_pte::Type::kBlock) |
           aarch64_pte::AttrIndex::of(cached ? kCachedIndex : kUncachedIndex) |
           aarch64_pte::ApUnprivileged::of(true) |
           aarch64_pte::ApReadOnly::of(has(prot, Prot::kReadOnly)) |
           aarch64_pte::LeafShareability::of(cached ? aarch64_pte::Shareability::kInner
                                                    : aarch64_pte::Shareability::kOuter) |
           aarch64_pte::AccessFlag::of(true) | aarch64_pte::NotGlobal::of(true) |
           aarch64_pte::PrivilegedExecuteNever::of(no_exec) |
           aarch64_pte::ExecuteNever::of(no_exec);
  }
  static constexpr std::uint64_t leaf_step(std::uint32_t height) {
    return kPageSize << (aarch64_pte::kIndexBits * height);
  }

  static constexpr std::uint64_t table(PhysAddr pa, std::uint32_t) {
    return pa.value | aarch64_pte::DescriptorType::of(aarch64_pte::Type::kTableOrPage);
  }

  static constexpr EntryKind kind(std::uint64_t entry, std::uint32_t height) {
    switch (aarch64_pte::DescriptorType::get(entry)) {
      case aarch64_pte::Type::kTableOrPage:
        return height == 0 ? EntryKind::kLeaf : EntryKind::kTable;
      case aarch64_pte::Type::kBlock:
        return height == 1 || height == 2 ? EntryKind::kLeaf : EntryKind::kAbsent;
      default:
        return EntryKind::kAbsent;
    }
  }
  static constexpr PhysAddr address(std::uint64_t entry, std::uint32_t) {
    return {entry & aarch64_pte::kAddressMask};
  }
  static constexpr Prot prot(std::uint64_t entry) {
    Prot prot = Prot::kNone;
    if (!may_write(entry)) prot |= Prot::kReadOnly;
    if (aarch64_pte::ExecuteNever::get(entry)) prot |= Prot::kNoExec;
    if (aarch64_pte::AttrIndex::get(entry) == kUncachedIndex) prot |= Prot::kUncached;
    return prot;
  }

  static constexpr std::uint64_t clean(std::uint64_t leaf) {
    leaf = WasDirty::set(leaf, false);
    return may_write(leaf) ? leaf | kReadOnly | kModifier : leaf;
  }
  static constexpr std::uint64_t mark_dirty(std::uint64_t leaf) {
    return may_write(leaf) ? (leaf & ~kReadOnly) | kModifier : WasDirty::set(leaf, true);
  }
  static constexpr bool is_dirty(std::uint64_t leaf) {
    return (leaf & (kReadOnly | kModifier)) == kModifier || WasDirty::get(leaf);
  }

  // 64 KiB of pages, 32 MiB or 16 GiB of blocks.
  static constexpr std::uint32_t kRunLeaves = 16;
  static constexpr std::uint64_t kContiguousBit = aarch64_pte::Contiguous::kMask;

 private:
  static constexpr std::uint32_t kUncachedIndex = 0;
  static constexpr std::uint32_t kCachedIndex = 1;
  static constexpr std::uint64_t kReadOnly = aarch64_pte::ApReadOnly::kMask;
  static constexpr std::uint64_t kModifier = aarch64_pte::DirtyModifier::kMask;
  using WasDirty = datasheet::Bit<56>;
  static constexpr bool may_write(std::uint64_t leaf) {
    return (leaf & (kReadOnly | kModifier)) != kReadOnly;
  }
};

// Cached read-write page and 2 MiB block, uncached page, read-only page, no-execute page.
static_assert(ArmLpaeS1::leaf({0}, Prot::kNone, 0) == 0xf47);
static_assert(ArmLpaeS1::leaf({0}, Prot::kNone, 1) == 0xf45);
static_assert(ArmLpaeS1::leaf({0}, Prot::kUncached, 0) == 0xe43);
static_assert(ArmLpaeS1::leaf({0}, Prot::kReadOnly, 0) == 0xfc7);
static_assert(ArmLpaeS1::leaf({0}, Prot::kNoExec, 0) == 0x0060'0000'0000'0f47);
static_assert(DirtyFormat<ArmLpaeS1> && ContiguousFormat<ArmLpaeS1>);

}  // namespace pantry::driver
