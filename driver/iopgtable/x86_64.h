// SPDX-License-Identifier: MIT
//
// x86-64 paging with 4 and 5 levels (48 and 57 bits), as processors and the first stage of IOMMUs
// walk it. Everything is for the user and accessed beforehand, and dirty if it can be written to,
// so that no walk writes to the table unless dirty tracking is asked for. Uncached is PWT and PCD,
// which select UC from the PAT as it is after reset.
//
// A leaf that is dirty and read-only is a shadow stack where those are enabled (SDM volume 3,
// "Shadow-Stack Memory Accesses"), so there is none: for a leaf made read-only, the fact that it
// was written through moves to bit 52, which hardware ignores.
//
// Addresses are counted from 0: of a 48-bit table, [2^47, 2^48) is what a program sees, sign
// extended, as [0xffff'8000'0000'0000, 2^64).
#pragma once

#include "driver/iopgtable/table_format.h"
#include "gpu_emu/datasheet/field.h"

namespace pantry::driver {

struct X86_64 {
 private:
  using Present = datasheet::Bit<0>;
  using Writable = datasheet::Bit<1>;
  using User = datasheet::Bit<2>;
  using WriteThrough = datasheet::Bit<3>;
  using CacheDisable = datasheet::Bit<4>;
  using Accessed = datasheet::Bit<5>;
  using Dirty = datasheet::Bit<6>;
  using PageSize = datasheet::Bit<7>;  // of a PDPTE or PDE: a leaf. In a PTE it is the PAT bit.
  using WasDirty = datasheet::Bit<52>;
  using ExecuteDisable = datasheet::Bit<63>;
  // 51:12 of a page or table. Of a block, bit 12 is the PAT bit, and those up to its size are 0.
  static constexpr std::uint64_t address_mask(std::uint64_t size) {
    return 0x000f'ffff'ffff'ffff & ~(size - 1);
  }

 public:
  static constexpr bool supports(const TableConfig& config) {
    return ((config.va_bits == 48 && config.levels() == 4) ||
            (config.va_bits == 57 && config.levels() == 5)) &&
           config.pa_bits >= 32 && config.pa_bits <= 52;
  }

  static constexpr std::uint64_t leaf(PhysAddr pa, Prot prot, std::uint32_t height) {
    const bool uncached = has(prot, Prot::kUncached);
    return pa.value | Present::of(true) | Writable::of(!has(prot, Prot::kReadOnly)) |
           User::of(true) | WriteThrough::of(uncached) | CacheDisable::of(uncached) |
           Accessed::of(true) | Dirty::of(!has(prot, Prot::kReadOnly)) | PageSize::of(height != 0) |
           ExecuteDisable::of(has(prot, Prot::kNoExec));
  }
  static constexpr std::uint64_t leaf_step(std::uint32_t height) {
    return kPageSize << (9 * height);
  }

  // Allows everything: the leaf decides.
  static constexpr std::uint64_t table(PhysAddr pa, std::uint32_t) {
    return pa.value | Present::of(true) | Writable::of(true) | User::of(true) | Accessed::of(true);
  }

  static constexpr EntryKind kind(std::uint64_t entry, std::uint32_t height) {
    if (!Present::get(entry)) return EntryKind::kAbsent;
    if (height == 0 || PageSize::get(entry)) return EntryKind::kLeaf;
    return EntryKind::kTable;
  }
  static constexpr PhysAddr address(std::uint64_t entry, std::uint32_t height) {
    const bool block = height != 0 && PageSize::get(entry);
    return {entry & address_mask(block ? leaf_step(height) : kPageSize)};
  }
  static constexpr Prot prot(std::uint64_t entry) {
    Prot prot = Prot::kNone;
    if (!Writable::get(entry)) prot |= Prot::kReadOnly;
    if (ExecuteDisable::get(entry)) prot |= Prot::kNoExec;
    if (CacheDisable::get(entry)) prot |= Prot::kUncached;
    return prot;
  }

  static constexpr std::uint64_t clean(std::uint64_t leaf) {
    return WasDirty::set(Dirty::set(leaf, false), false);
  }
  static constexpr std::uint64_t mark_dirty(std::uint64_t leaf) {
    return Writable::get(leaf) ? Dirty::set(leaf, true) : WasDirty::set(leaf, true);
  }
  static constexpr bool is_dirty(std::uint64_t leaf) {
    return Dirty::get(leaf) || WasDirty::get(leaf);
  }
};

static_assert(DirtyFormat<X86_64>);

}  // namespace pantry::driver
