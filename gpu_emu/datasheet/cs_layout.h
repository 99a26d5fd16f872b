// SPDX-License-Identifier: MIT
//
// How an instruction struct says where its operands stand, so that encoding, decoding and checking
// come from one declaration:
//
//   struct Move32 {
//     Reg32 dst;
//     std::uint32_t imm = 0;
//     static constexpr Opcode kOpcode = Opcode::kMove32;  // 2
//     using Layout = Fields<At<&Move32::dst, 55, 48>, At<&Move32::imm, 31, 0>>;
//   };
//   encode(Move32{.dst = r(70), .imm = 0xdead'beef}) == 0x0246'0000'dead'beef
//
// Pure functions: no state, no lock, no allocation.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "gpu_emu/datasheet/cs_opcode.h"
#include "gpu_emu/datasheet/cs_operand.h"
#include "gpu_emu/datasheet/field.h"

namespace pantry::datasheet::isa {

using OpcodeField = Field<63, 56, Opcode>;

// Member `kMember` stands in bits kHi:kLo.
template <auto kMember, unsigned kHi, unsigned kLo>
struct At;

template <class I, class T, T I::*kMember, unsigned kHi, unsigned kLo>
struct At<kMember, kHi, kLo> {
  static_assert(kHi < OpcodeField::kShift);
  using Bits = Field<kHi, kLo, T>;
  static constexpr std::uint64_t kMask = Bits::kMask;

  static constexpr std::uint64_t encode(const I& instruction) {
    return Bits::of(instruction.*kMember);
  }
  static constexpr void decode(I& instruction, std::uint64_t word) {
    instruction.*kMember = Bits::get(word);
  }
  static constexpr bool fits(const I& instruction) { return Bits::fits(instruction.*kMember); }
  // Plain numbers take any value; the other operands know which they have.
  static constexpr bool is_operand_defined(const I& instruction) {
    if constexpr (std::is_arithmetic_v<T> || std::same_as<T, ScoreboardMask>) {
      return true;
    } else {
      return is_defined(instruction.*kMember);
    }
  }
};

template <class... Operands>
struct Fields {
  static constexpr std::uint64_t kMask = (std::uint64_t{0} | ... | Operands::kMask);
  // The sum equals the union only when no two operands share a bit.
  static_assert((std::uint64_t{0} + ... + Operands::kMask) == kMask, "operands overlap");

  template <class I>
  static constexpr std::uint64_t encode([[maybe_unused]] const I& instruction) {
    return (OpcodeField::of(I::kOpcode) | ... | Operands::encode(instruction));
  }
  template <class I>
  static constexpr void decode([[maybe_unused]] I& instruction,
                               [[maybe_unused]] std::uint64_t word) {
    (Operands::decode(instruction, word), ...);
  }
  // Whether encode may be called: every value has room in its bits.
  template <class I>
  static constexpr bool fits([[maybe_unused]] const I& instruction) {
    return (true && ... && Operands::fits(instruction));
  }
  template <class I>
  static constexpr bool are_operands_defined([[maybe_unused]] const I& instruction) {
    return (true && ... && Operands::is_operand_defined(instruction));
  }
};

// A struct as in the example above.
template <class I>
concept InstructionType = requires {
  { I::kOpcode } -> std::convertible_to<Opcode>;
  typename I::Layout;
};

// The word. An operand that does not fit its bits is a bug.
template <InstructionType I>
constexpr std::uint64_t encode(const I& instruction) {
  return I::Layout::encode(instruction);
}

// The operands of `word`, whose opcode the caller has looked at.
template <InstructionType I>
constexpr I decode_as(std::uint64_t word) {
  PANTRY_CHECK(OpcodeField::get(word) == I::kOpcode);
  I instruction;
  I::Layout::decode(instruction, word);
  return instruction;
}

}  // namespace pantry::datasheet::isa
