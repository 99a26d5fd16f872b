// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/field.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>

namespace pantry::datasheet {
namespace {

using Revision = Field<15, 12>;
static_assert(Revision::get(0xa867'3005) == 3);
static_assert(Revision::of(3) == 0x3000);
static_assert(Revision::set(0xa867'0005u, 3) == 0xa867'3005);
static_assert(Revision::kMask == 0xf000 && Revision::kMax == 0xf);

// The whole of a word, its top bit, and its lowest: where shifts go wrong.
using Whole64 = Field<63, 0, std::uint64_t>;
static_assert(Whole64::kMask == ~std::uint64_t{0} && Whole64::kMax == ~std::uint64_t{0});
static_assert(Whole64::set(std::uint64_t{5}, 7) == 7);
static_assert(Bit<31>::kMask == 0x8000'0000u && Bit<63>::kMask == std::uint64_t{1} << 63);
static_assert(Bit<0>::of(true) == 1 && Bit<0>::of(false) == 0 && !Bit<0>::get(2));

// A mask is as wide as the field needs, so that ~kMask in a 32-bit register stays one.
static_assert(sizeof(Bit<31>::kMask) == 4 && sizeof(Bit<32>::kMask) == 8);

enum class Colour : std::uint8_t { kRed = 1, kBlue = 5 };
using Paint = Field<6, 4, Colour>;
static_assert(Paint::get(0x5f) == Colour::kBlue && Paint::of(Colour::kRed) == 0x10);

using Signed16 = Field<15, 0, std::int16_t>;
static_assert(Signed16::get(0xffff'ff40) == -192 && Signed16::of(-192) == 0xff40);
using Signed5 = Field<8, 4, std::int32_t>;
static_assert(Signed5::of(-16) == 0x100 && Signed5::of(15) == 0xf0);
static_assert(Signed5::get(0x100) == -16 && Signed5::get(0xf0) == 15);

struct Name {
  std::uint8_t index = 0;
  constexpr std::uint64_t number() const { return index; }
  static constexpr Name from_number(std::uint64_t n) { return {static_cast<std::uint8_t>(n)}; }
};
static_assert(Field<47, 40, Name>::of(Name{0x5c}) == 0x0000'5c00'0000'0000);
static_assert(Field<47, 40, Name>::get(0x1234'5c00'0000'0000).index == 0x5c);

TEST(FieldDeathTest, RefusesAValueThatDoesNotFit) {
  EXPECT_DEATH(Revision::of(0x10), "raw <= kMax");
  EXPECT_DEATH((Paint::of(static_cast<Colour>(8))), "raw <= kMax");
  EXPECT_DEATH(Signed5::of(16), "kLimit");
  EXPECT_DEATH(Signed5::of(-17), "kLimit");
}

// Against the definition, bit by bit.
std::uint64_t bits_by_hand(std::uint64_t word, unsigned hi, unsigned lo) {
  std::uint64_t value = 0;
  for (unsigned bit = lo; bit <= hi; ++bit) {
    if ((word >> bit) % 2 != 0) value += std::uint64_t{1} << (bit - lo);
  }
  return value;
}

template <unsigned kHi, unsigned kLo>
void check_field(std::uint64_t word, std::uint64_t other) {
  using Bits = Field<kHi, kLo, std::uint64_t>;
  RC_ASSERT(Bits::get(word) == bits_by_hand(word, kHi, kLo));
  const std::uint64_t value = bits_by_hand(other, kHi, kLo);
  const std::uint64_t changed = Bits::set(word, value);
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t source = kLo <= bit && bit <= kHi ? value >> (bit - kLo) : word >> bit;
    RC_ASSERT((changed >> bit) % 2 == source % 2);
  }
  RC_ASSERT(Bits::of(value) == Bits::set(std::uint64_t{0}, value));
}

RC_GTEST_PROP(FieldProperty, AgreesWithSingleBits, (std::uint64_t word, std::uint64_t other)) {
  check_field<0, 0>(word, other);
  check_field<31, 0>(word, other);
  check_field<32, 31>(word, other);
  check_field<47, 12>(word, other);
  check_field<63, 56>(word, other);
  check_field<63, 0>(word, other);
}

RC_GTEST_PROP(FieldProperty, SignedValuesComeBack, (std::int16_t value, std::uint64_t word)) {
  using Middle = Field<31, 16, std::int16_t>;
  RC_ASSERT(Middle::get(Middle::set(word, value)) == value);
}

}  // namespace
}  // namespace pantry::datasheet
