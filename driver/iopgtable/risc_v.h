// SPDX-License-Identifier: MIT
//
// RISC-V's Sv39, Sv48 and Sv57 (privileged architecture, "Page-Based Virtual-Memory Systems"), as
// processors and the first stage of IOMMUs walk them. An entry leads to a table unless it allows
// something; of a table's entry nothing else may be set. The address stands two bits lower in the
// entry than it is: bits 53:10 are bits 55:12. Everything is for the user, and accessed and dirty
// beforehand, so that no walk writes to the table unless dirty tracking is asked for. Uncached is
// the memory type NC of Svpbmt, which the device must have then.
//
// Dirty state: bit 7, set by the device if it manages the bit (Svadu). The runs of Svnapot are not
// used: they change the address, and so are more than a hint.
//
// Addresses are counted from 0: of 39 bits, [2^38, 2^39) is what a program sees, sign extended, at
// the top of its 64 bits.
#pragma once

#include "driver/iopgtable/table_format.h"
#include "gpu_emu/datasheet/field.h"

namespace pantry::driver {

struct RiscV {
 private:
  using Valid = datasheet::Bit<0>;
  using Read = datasheet::Bit<1>;
  using Write = datasheet::Bit<2>;
  using Execute = datasheet::Bit<3>;
  using User = datasheet::Bit<4>;
  using Accessed = datasheet::Bit<6>;
  using Dirty = datasheet::Bit<7>;
  enum class MemoryType : std::uint8_t { kAsTheFrame = 0, kNonCacheable = 1 };
  using MemoryTypeField = datasheet::Field<62, 61, MemoryType>;
  static constexpr std::uint64_t kAddressMask = 0x003f'ffff'ffff'fc00;  // 53:10
  static constexpr std::uint32_t kAddressShift = 2;

 public:
  static constexpr bool supports(const TableConfig& config) {
    const std::uint32_t levels = config.levels();
    return ((config.va_bits == 39 && levels == 3) || (config.va_bits == 48 && levels == 4) ||
            (config.va_bits == 57 && levels == 5)) &&
           config.pa_bits >= 32 && config.pa_bits <= 56;
  }

  static constexpr std::uint64_t leaf(PhysAddr pa, Prot prot, std::uint32_t) {
    return pa.value >> kAddressShift | Valid::of(true) | Read::of(true) |
           Write::of(!has(prot, Prot::kReadOnly)) | Execute::of(!has(prot, Prot::kNoExec)) |
           User::of(true) | Accessed::of(true) | Dirty::of(true) |
           MemoryTypeField::of(has(prot, Prot::kUncached) ? MemoryType::kNonCacheable
                                                          : MemoryType::kAsTheFrame);
  }
  static constexpr std::uint64_t leaf_step(std::uint32_t height) {
    return kPageSize << (9 * height) >> kAddressShift;
  }

  static constexpr std::uint64_t table(PhysAddr pa, std::uint32_t) {
    return pa.value >> kAddressShift | Valid::of(true);
  }

  static constexpr EntryKind kind(std::uint64_t entry, std::uint32_t height) {
    if (!Valid::get(entry)) return EntryKind::kAbsent;
    if (Read::get(entry) || Execute::get(entry)) return EntryKind::kLeaf;
    return height == 0 ? EntryKind::kAbsent : EntryKind::kTable;
  }
  static constexpr PhysAddr address(std::uint64_t entry, std::uint32_t) {
    return {(entry & kAddressMask) << kAddressShift};
  }
  static constexpr Prot prot(std::uint64_t entry) {
    Prot prot = Prot::kNone;
    if (!Write::get(entry)) prot |= Prot::kReadOnly;
    if (!Execute::get(entry)) prot |= Prot::kNoExec;
    if (MemoryTypeField::get(entry) == MemoryType::kNonCacheable) prot |= Prot::kUncached;
    return prot;
  }

  static constexpr std::uint64_t clean(std::uint64_t leaf) { return Dirty::set(leaf, false); }
  static constexpr std::uint64_t mark_dirty(std::uint64_t leaf) { return Dirty::set(leaf, true); }
  static constexpr bool is_dirty(std::uint64_t leaf) { return Dirty::get(leaf); }
};

static_assert(DirtyFormat<RiscV>);

}  // namespace pantry::driver
