// SPDX-License-Identifier: MIT
//
// The format of Midgard and Bifrost GPUs in their legacy address mode: the long descriptor with
// leaves of the block type at every level, the attribute index of stage 1, and permissions of
// stage 2 (bit 6 read, bit 7 write). A Mali knows no uncached memory in this mode: index 0 means
// "as the implementation likes", index 1 write-allocate. Shareability is always outer, which to a
// Mali is everything outside of the GPU. The walk starts at level 0 whatever the size of the
// address space is: TableConfig::min_levels is 4.
#pragma once

#include "driver/iopgtable/table_format.h"
#include "gpu_emu/datasheet/mali_lpae_pte.h"

namespace pantry::driver {

namespace mali_lpae_pte = datasheet::mali_lpae_pte;

struct MaliLpae {
  static constexpr bool supports(const TableConfig& config) {
    return config.va_bits >= 25 && config.va_bits <= 48 && config.pa_bits >= 32 &&
           config.pa_bits <= 40 && config.levels() == mali_lpae_pte::kLevels;
  }

  static constexpr std::uint64_t leaf(PhysAddr pa, Prot prot, std::uint32_t) {
    const bool no_exec = has(prot, Prot::kNoExec);
    return pa.value | mali_lpae_pte::DescriptorType::of(mali_lpae_pte::Type::kLeaf) |
           mali_lpae_pte::AttrIndex::of(has(prot, Prot::kUncached) ? kImplementationDefined
                                                                   : kWriteAllocate) |
           mali_lpae_pte::Read::of(true) | mali_lpae_pte::Write::of(!has(prot, Prot::kReadOnly)) |
           mali_lpae_pte::Shareability::of(kOuter) |
           mali_lpae_pte::PrivilegedExecuteNever::of(no_exec) |
           mali_lpae_pte::ExecuteNever::of(no_exec);
  }
  static constexpr std::uint64_t leaf_step(std::uint32_t height) {
    return kPageSize << (mali_lpae_pte::kIndexBits * height);
  }

  static constexpr std::uint64_t table(PhysAddr pa, std::uint32_t) {
    return pa.value | mali_lpae_pte::DescriptorType::of(mali_lpae_pte::Type::kTable);
  }

  static constexpr EntryKind kind(std::uint64_t entry, std::uint32_t height) {
    switch (mali_lpae_pte::DescriptorType::get(entry)) {
      case mali_lpae_pte::Type::kLeaf:
        return EntryKind::kLeaf;
      case mali_lpae_pte::Type::kTable:
        return height == 0 ? EntryKind::kAbsent : EntryKind::kTable;
      default:
        return EntryKind::kAbsent;
    }
  }
  static constexpr PhysAddr address(std::uint64_t entry, std::uint32_t) {
    return {entry & mali_lpae_pte::kAddressMask};
  }
  static constexpr Prot prot(std::uint64_t entry) {
    Prot prot = Prot::kNone;
    if (!mali_lpae_pte::Write::get(entry)) prot |= Prot::kReadOnly;
    if (mali_lpae_pte::ExecuteNever::get(entry)) prot |= Prot::kNoExec;
    if (mali_lpae_pte::AttrIndex::get(entry) == kImplementationDefined) prot |= Prot::kUncached;
    return prot;
  }

 private:
  static constexpr std::uint32_t kImplementationDefined = 0;
  static constexpr std::uint32_t kWriteAllocate = 1;
  static constexpr std::uint32_t kOuter = 2;
};

static_assert(TableFormat<MaliLpae>);

}  // namespace pantry::driver
