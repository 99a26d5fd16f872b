// SPDX-License-Identifier: MIT
//
// The instructions that compute with registers and move them to and from memory. Positions:
// cs_layout.h. Sources: [M], [I].
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/cs_layout.h"

namespace pantry::datasheet::isa {

// Does nothing, whatever its operand bits are; the word 0 pads the ring.
struct Nop {
  std::uint64_t ignored = 0;

  static constexpr Opcode kOpcode = Opcode::kNop;
  using Layout = Fields<At<&Nop::ignored, 55, 0>>;
  constexpr bool operator==(const Nop&) const = default;
};

// dst = imm, zero-extended from 48 bits.
struct Move48 {
  Reg64 dst = {};
  std::uint64_t imm = 0;

  static constexpr Opcode kOpcode = Opcode::kMove48;
  using Layout = Fields<At<&Move48::dst, 55, 48>, At<&Move48::imm, 47, 0>>;
  constexpr bool operator==(const Move48&) const = default;
};

struct Move32 {
  Reg32 dst = {};
  std::uint32_t imm = 0;

  static constexpr Opcode kOpcode = Opcode::kMove32;
  using Layout = Fields<At<&Move32::dst, 55, 48>, At<&Move32::imm, 31, 0>>;
  constexpr bool operator==(const Move32&) const = default;
};

struct AddImm32 {
  Reg32 dst = {};
  Reg32 src = {};
  std::int32_t imm = 0;

  static constexpr Opcode kOpcode = Opcode::kAddImm32;
  using Layout =
      Fields<At<&AddImm32::dst, 55, 48>, At<&AddImm32::src, 47, 40>, At<&AddImm32::imm, 31, 0>>;
  constexpr bool operator==(const AddImm32&) const = default;
};

struct AddImm64 {
  Reg64 dst = {};
  Reg64 src = {};
  std::int32_t imm = 0;

  static constexpr Opcode kOpcode = Opcode::kAddImm64;
  using Layout =
      Fields<At<&AddImm64::dst, 55, 48>, At<&AddImm64::src, 47, 40>, At<&AddImm64::imm, 31, 0>>;
  constexpr bool operator==(const AddImm64&) const = default;
};

// dst = the smaller of the two, unsigned.
struct Umin32 {
  Reg32 dst = {};
  Reg32 src0 = {};
  Reg32 src1 = {};

  static constexpr Opcode kOpcode = Opcode::kUmin32;
  using Layout =
      Fields<At<&Umin32::dst, 55, 48>, At<&Umin32::src0, 47, 40>, At<&Umin32::src1, 39, 32>>;
  constexpr bool operator==(const Umin32&) const = default;
};

// For each bit i of the mask: register base + i = memory at address + offset. Always asynchronous
// ("other" entry).
struct LoadMultiple {
  Reg32 base = {};
  Reg64 address = {};
  std::uint16_t mask = 0;
  std::int16_t offset = 0;  // bytes

  static constexpr Opcode kOpcode = Opcode::kLoadMultiple;
  using Layout = Fields<At<&LoadMultiple::base, 55, 48>, At<&LoadMultiple::address, 47, 40>,
                        At<&LoadMultiple::mask, 31, 16>, At<&LoadMultiple::offset, 15, 0>>;
  constexpr bool operator==(const LoadMultiple&) const = default;
};

struct StoreMultiple {
  Reg32 base = {};
  Reg64 address = {};
  std::uint16_t mask = 0;
  std::int16_t offset = 0;  // bytes

  static constexpr Opcode kOpcode = Opcode::kStoreMultiple;
  using Layout = Fields<At<&StoreMultiple::base, 55, 48>, At<&StoreMultiple::address, 47, 40>,
                        At<&StoreMultiple::mask, 31, 16>, At<&StoreMultiple::offset, 15, 0>>;
  constexpr bool operator==(const StoreMultiple&) const = default;
};

}  // namespace pantry::datasheet::isa
