// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/cs_instruction.h"

#include <array>
#include <bit>
#include <cstddef>

namespace pantry::datasheet::isa {
namespace {

// What the decoder knows about one opcode.
struct Decoder {
  Instruction (*decode)(std::uint64_t word) = nullptr;  // null: undefined
  std::uint64_t operand_mask = 0;
};

using DecoderTable = std::array<Decoder, 256>;

template <class... I>
constexpr DecoderTable make_table(const std::variant<I...>*) {
  DecoderTable table;
  ((table[static_cast<std::size_t>(I::kOpcode)] =
        Decoder{[](std::uint64_t word) -> Instruction { return decode_as<I>(word); },
                I::Layout::kMask}),
   ...);
  return table;
}

constexpr DecoderTable kDecoders = make_table(static_cast<const Instruction*>(nullptr));

const Decoder& decoder_of(std::uint64_t word) {
  return kDecoders[static_cast<std::size_t>(OpcodeField::get(word))];
}

// Of what no single operand can tell: the last register of a transfer.
template <class I>
bool registers_exist(const I&) {
  return true;
}
template <class Transfer>
bool transfer_exists(const Transfer& transfer) {
  // base 90 with mask 0x3f ends at r95; bit_width(0x3f) == 6.
  return transfer.base.index + std::bit_width(transfer.mask) <= kRegisterCount;
}
bool registers_exist(const LoadMultiple& load) { return transfer_exists(load); }
bool registers_exist(const StoreMultiple& store) { return transfer_exists(store); }

}  // namespace

std::optional<Instruction> decode(std::uint64_t word) {
  const Decoder& decoder = decoder_of(word);
  if (decoder.decode == nullptr) return std::nullopt;
  return decoder.decode(word);
}

std::uint64_t encode(const Instruction& instruction) {
  return std::visit([](const auto& one) { return encode(one); }, instruction);
}

Opcode opcode_of(const Instruction& instruction) {
  return std::visit([](const auto& one) { return one.kOpcode; }, instruction);
}

bool are_operands_defined(const Instruction& instruction) {
  return std::visit(
      []<class I>(const I& one) {
        return I::Layout::are_operands_defined(one) && registers_exist(one);
      },
      instruction);
}

std::uint64_t unused_bits(std::uint64_t word) {
  const Decoder& decoder = decoder_of(word);
  if (decoder.decode == nullptr) return word;
  return word & ~OpcodeField::kMask & ~decoder.operand_mask;
}

}  // namespace pantry::datasheet::isa
