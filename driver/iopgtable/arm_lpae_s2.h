// SPDX-License-Identifier: MIT
//
// The ARMv8 long-descriptor format, stage 2, 4 KiB granule: memory attributes stand in the leaf
// itself, permissions are additive (bit 6 read, bit 7 write), and there is no nG. The root is one
// table: tables are never concatenated, so an input of 40 bits and more starts at level 0, which
// walkers know whose physical addresses have 44 bits or more.
//
// No-execute is bit 54 alone, which every version reads as "never": with FEAT_XNX bits 54:53 are a
// number, of which 0b10 is "at no level" and 0b11 is "at EL1 only".
//
// Dirty state: with the dirty-bit modifier a leaf without write permission is "writeable clean",
// and the walker gives it the permission on the first write. For a leaf made read-only the fact
// moves to bit 56, which hardware ignores.
#pragma once

#include "driver/iopgtable/table_format.h"
#include "gpu_emu/datasheet/aarch64_pte.h"

namespace pantry::driver {

struct ArmLpaeS2 {
 private:
  // Where stage 2 differs from aarch64_pte.
  enum class MemAttr : std::uint8_t { kNonCacheable = 0x5, kWriteBack = 0xf };  // outer, inner
  using MemoryAttribute = datasheet::Field<5, 2, MemAttr>;
  using Read = datasheet::Bit<6>;
  using Write = datasheet::Bit<7>;
  using Type = datasheet::aarch64_pte::Type;
  using DescriptorType = datasheet::aarch64_pte::DescriptorType;
  using Shareability = datasheet::aarch64_pte::Shareability;
  using LeafShareability = datasheet::aarch64_pte::LeafShareability;
  using AccessFlag = datasheet::aarch64_pte::AccessFlag;
  using DirtyModifier = datasheet::aarch64_pte::DirtyModifier;
  using ExecuteNever = datasheet::aarch64_pte::ExecuteNever;
  using WasDirty = datasheet::Bit<56>;
  static constexpr bool may_write(std::uint64_t leaf) {
    return Write::get(leaf) || DirtyModifier::get(leaf);
  }

 public:
  static constexpr bool supports(const TableConfig& config) {
    const std::uint32_t pa = config.pa_bits;
    return config.va_bits >= 25 && config.va_bits <= 48 && config.min_levels <= 1 &&
           (pa == 32 || pa == 36 || pa == 40 || pa == 42 || pa == 44 || pa == 48) &&
           (config.levels() < 4 || pa >= 44);
  }

  static constexpr std::uint64_t leaf(PhysAddr pa, Prot prot, std::uint32_t height) {
    const bool cached = !has(prot, Prot::kUncached);
    return pa.value | DescriptorType::of(height == 0 ? Type::kTableOrPage : Type::kBlock) |
           MemoryAttribute::of(cached ? MemAttr::kWriteBack : MemAttr::kNonCacheable) |
           Read::of(true) | Write::of(!has(prot, Prot::kReadOnly)) |
           LeafShareability::of(cached ? Shareability::kInner : Shareability::kOuter) |
           AccessFlag::of(true) | ExecuteNever::of(has(prot, Prot::kNoExec));
  }
  static constexpr std::uint64_t leaf_step(std::uint32_t height) {
    return kPageSize << (datasheet::aarch64_pte::kIndexBits * height);
  }

  static constexpr std::uint64_t table(PhysAddr pa, std::uint32_t) {
    return pa.value | DescriptorType::of(Type::kTableOrPage);
  }

  static constexpr EntryKind kind(std::uint64_t entry, std::uint32_t height) {
    switch (DescriptorType::get(entry)) {
      case Type::kTableOrPage:
        return height == 0 ? EntryKind::kLeaf : EntryKind::kTable;
      case Type::kBlock:
        return height == 1 || height == 2 ? EntryKind::kLeaf : EntryKind::kAbsent;
      default:
        return EntryKind::kAbsent;
    }
  }
  static constexpr PhysAddr address(std::uint64_t entry, std::uint32_t) {
    return {entry & datasheet::aarch64_pte::kAddressMask};
  }
  static constexpr Prot prot(std::uint64_t entry) {
    Prot prot = Prot::kNone;
    if (!may_write(entry)) prot |= Prot::kReadOnly;
    if (ExecuteNever::get(entry)) prot |= Prot::kNoExec;
    if (MemoryAttribute::get(entry) == MemAttr::kNonCacheable) prot |= Prot::kUncached;
    return prot;
  }

  static constexpr std::uint64_t clean(std::uint64_t leaf) {
    leaf = WasDirty::set(leaf, false);
    return may_write(leaf) ? DirtyModifier::set(Write::set(leaf, false), true) : leaf;
  }
  static constexpr std::uint64_t mark_dirty(std::uint64_t leaf) {
    return may_write(leaf) ? DirtyModifier::set(Write::set(leaf, true), true)
                           : WasDirty::set(leaf, true);
  }
  static constexpr bool is_dirty(std::uint64_t leaf) {
    return (Write::get(leaf) && DirtyModifier::get(leaf)) || WasDirty::get(leaf);
  }

  // 64 KiB of pages, 32 MiB or 16 GiB of blocks.
  static constexpr std::uint32_t kRunLeaves = 16;
  static constexpr std::uint64_t kContiguousBit = datasheet::aarch64_pte::Contiguous::kMask;
};

static_assert(DirtyFormat<ArmLpaeS2> && ContiguousFormat<ArmLpaeS2>);

}  // namespace pantry::driver
