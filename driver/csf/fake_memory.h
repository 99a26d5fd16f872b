// SPDX-License-Identifier: MIT
//
// For tests only: memory as the fake device sees it, through the page tables that the driver built.
// A walk of its own, so that the fake finds what is really mapped and nothing else.
#pragma once

#include <cstdint>
#include <cstring>

#include "driver/csf/interface_block.h"
#include "gpu_emu/datasheet/aarch64_pte.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class FakeMemory {
 public:
  explicit FakeMemory(emu::Dram dram) : dram_(dram) {}

  // Host address of the byte at `va` of the address space with this root table, or null.
  std::byte* at(PhysAddr root, GpuVa va) const {
    namespace pte = datasheet::aarch64_pte;
    std::uint64_t table = root.value & pte::kAddressMask;
    for (unsigned level = 0; level < 4; ++level) {
      const unsigned shift = pte::kGranuleShift + pte::kIndexBits * (3 - level);
      const std::uint64_t index = va.value >> shift & ((1u << pte::kIndexBits) - 1);
      const auto* const entry =
          static_cast<std::uint64_t*>(dram_.at({table + index * pte::kEntryBytes}, 8));
      if (!entry) return nullptr;
      const std::uint64_t word =
          std::atomic_ref<const std::uint64_t>(*entry).load(std::memory_order_acquire);
      const auto type = static_cast<unsigned>(pte::DescriptorType::get(word));
      const bool is_block = type == 1 && (level == 1 || level == 2);
      if (is_block || (type == 3 && level == 3)) {
        const std::uint64_t inside = va.value & ((std::uint64_t{1} << shift) - 1);
        const std::uint64_t frame = word & pte::kAddressMask & ~((std::uint64_t{1} << shift) - 1);
        return static_cast<std::byte*>(dram_.at({frame + inside}, 1));
      }
      if (type != 3) return nullptr;
      table = word & pte::kAddressMask;
    }
    return nullptr;
  }
  // The block that starts there; not usable when nothing is mapped.
  InterfaceBlock block(PhysAddr root, GpuVa va) const { return InterfaceBlock(at(root, va)); }

 private:
  emu::Dram dram_;
};

}  // namespace pantry::driver
