// SPDX-License-Identifier: MIT
//
// The host page table of AMD's IOMMU ("v1"). Each entry says which level it leads to: a table of
// leaves is level 1, and so on up to the page mode that the device table entry gives for the root,
// at most 6 (64 bits). Next level 0 is a leaf of its level's size; 7, a leaf of a size that is
// written into its address, is not used here. Permissions are those of all entries on the way
// together, so tables allow everything. There is no execute permission: Prot::kNoExec has no
// effect and is not read back. Cached means coherent (FC).
//
// Dirty state: bit 6, set by the device if the device table entry asks for it (HAD).
#pragma once

#include "driver/iopgtable/table_format.h"
#include "gpu_emu/datasheet/field.h"

namespace pantry::driver {

struct AmdV1 {
 private:
  using Present = datasheet::Bit<0>;
  using Dirty = datasheet::Bit<6>;
  using NextLevel = datasheet::Field<11, 9>;
  using ForceCoherent = datasheet::Bit<60>;
  using Read = datasheet::Bit<61>;
  using Write = datasheet::Bit<62>;
  static constexpr std::uint64_t kAddressMask = 0x000f'ffff'ffff'f000;  // 51:12

 public:
  static constexpr bool supports(const TableConfig& config) {
    return config.va_bits >= 21 && config.va_bits <= 64 && config.levels() <= 6 &&
           config.pa_bits >= 32 && config.pa_bits <= 52;
  }
  // For the device table entry.
  static constexpr std::uint32_t page_mode(const TableConfig& config) { return config.levels(); }

  static constexpr std::uint64_t leaf(PhysAddr pa, Prot prot, std::uint32_t) {
    return pa.value | Present::of(true) | NextLevel::of(0) |
           ForceCoherent::of(!has(prot, Prot::kUncached)) | Read::of(true) |
           Write::of(!has(prot, Prot::kReadOnly));
  }
  static constexpr std::uint64_t leaf_step(std::uint32_t height) {
    return kPageSize << (9 * height);
  }

  static constexpr std::uint64_t table(PhysAddr pa, std::uint32_t height) {
    return pa.value | Present::of(true) | NextLevel::of(height) | Read::of(true) | Write::of(true);
  }

  static constexpr EntryKind kind(std::uint64_t entry, std::uint32_t height) {
    if (!Present::get(entry)) return EntryKind::kAbsent;
    if (NextLevel::get(entry) == 0) return EntryKind::kLeaf;
    return NextLevel::get(entry) == height ? EntryKind::kTable : EntryKind::kAbsent;
  }
  static constexpr PhysAddr address(std::uint64_t entry, std::uint32_t) {
    return {entry & kAddressMask};
  }
  static constexpr Prot prot(std::uint64_t entry) {
    Prot prot = Prot::kNone;
    if (!Write::get(entry)) prot |= Prot::kReadOnly;
    if (!ForceCoherent::get(entry)) prot |= Prot::kUncached;
    return prot;
  }

  static constexpr std::uint64_t clean(std::uint64_t leaf) { return Dirty::set(leaf, false); }
  static constexpr std::uint64_t mark_dirty(std::uint64_t leaf) { return Dirty::set(leaf, true); }
  static constexpr bool is_dirty(std::uint64_t leaf) { return Dirty::get(leaf); }
};

static_assert(DirtyFormat<AmdV1>);

}  // namespace pantry::driver
