// SPDX-License-Identifier: MIT
//
// The second stage of Intel's IOMMU (VT-d specification, "Second-Stage Paging Entries"), with 3, 4
// and 5 levels (39, 48 and 57 bits). An entry is present if it allows reads or writes; permissions
// are those of all entries on the way together, so tables allow both. Device accesses know no
// execute permission here: Prot::kNoExec has no effect and is not read back. Cached means that
// accesses snoop (SNP), which the IOMMU must offer.
//
// Dirty state: bit 9, set by the device where second-stage accessed and dirty flags are enabled
// (SSADE). Everything is accessed, and dirty, beforehand, so that no walk writes to the table
// unless dirty tracking is asked for; where the flags are not enabled, both bits are ignored.
#pragma once

#include "driver/iopgtable/table_format.h"
#include "gpu_emu/datasheet/field.h"

namespace pantry::driver {

struct VtdSecondStage {
 private:
  using Read = datasheet::Bit<0>;
  using Write = datasheet::Bit<1>;
  using PageSize = datasheet::Bit<7>;  // of a PDPTE or PDE: a leaf
  using Accessed = datasheet::Bit<8>;
  using Dirty = datasheet::Bit<9>;
  using Snoop = datasheet::Bit<11>;
  static constexpr std::uint64_t kAddressMask = 0x000f'ffff'ffff'f000;  // 51:12

 public:
  static constexpr bool supports(const TableConfig& config) {
    const std::uint32_t levels = config.levels();
    return ((config.va_bits == 39 && levels == 3) || (config.va_bits == 48 && levels == 4) ||
            (config.va_bits == 57 && levels == 5)) &&
           config.pa_bits >= 32 && config.pa_bits <= 52;
  }

  static constexpr std::uint64_t leaf(PhysAddr pa, Prot prot, std::uint32_t height) {
    return pa.value | Read::of(true) | Write::of(!has(prot, Prot::kReadOnly)) |
           PageSize::of(height != 0) | Accessed::of(true) | Dirty::of(true) |
           Snoop::of(!has(prot, Prot::kUncached));
  }
  static constexpr std::uint64_t leaf_step(std::uint32_t height) {
    return kPageSize << (9 * height);
  }

  static constexpr std::uint64_t table(PhysAddr pa, std::uint32_t) {
    return pa.value | Read::of(true) | Write::of(true) | Accessed::of(true);
  }

  static constexpr EntryKind kind(std::uint64_t entry, std::uint32_t height) {
    if (!Read::get(entry) && !Write::get(entry)) return EntryKind::kAbsent;
    return height == 0 || PageSize::get(entry) ? EntryKind::kLeaf : EntryKind::kTable;
  }
  static constexpr PhysAddr address(std::uint64_t entry, std::uint32_t) {
    return {entry & kAddressMask};
  }
  static constexpr Prot prot(std::uint64_t entry) {
    Prot prot = Prot::kNone;
    if (!Write::get(entry)) prot |= Prot::kReadOnly;
    if (!Snoop::get(entry)) prot |= Prot::kUncached;
    return prot;
  }

  static constexpr std::uint64_t clean(std::uint64_t leaf) { return Dirty::set(leaf, false); }
  static constexpr std::uint64_t mark_dirty(std::uint64_t leaf) { return Dirty::set(leaf, true); }
  static constexpr bool is_dirty(std::uint64_t leaf) { return Dirty::get(leaf); }
};

static_assert(DirtyFormat<VtdSecondStage>);

}  // namespace pantry::driver
