// SPDX-License-Identifier: MIT
//
// From an offset in the aperture back to the register that stands there, for logs, traces and
// decoders: find_register(0x2458) is AS_COMMAND of address space 1. Pure lookup in constant tables:
// no state, no lock, no allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "gpu_emu/datasheet/register.h"

namespace pantry::datasheet {

struct RegisterPlace {
  const Register* reg = nullptr;
  // Of the address space, the doorbell page or the SYSC_ALLOC word; 0 for a register that exists
  // once.
  std::uint32_t index = 0;
  bool is_high_half = false;
};

// nullopt when this data sheet knows no register there. Pre: a multiple of 4.
std::optional<RegisterPlace> find_register(std::uint32_t aperture_offset);

// All registers of GPU_CONTROL, JOB_INT, MMU_INT and the user page, by offset in the aperture.
std::span<const Register> fixed_registers();
// Those of one address-space block, by offset in the block.
std::span<const Register> address_space_registers();

}  // namespace pantry::datasheet
