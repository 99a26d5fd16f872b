// SPDX-License-Identifier: MIT
//
// A bit field of a register, table entry or command-stream word, as a type: its place is written
// once and read and written through the same name.
//
//   using Revision = Field<15, 12>;        // bits 15:12, hi first, as data sheets print them
//   Revision::get(0xa867'3005) == 3        // (0xa867'3005 >> 12) & 0xf
//   Revision::of(3) == 0x3000              // the field alone, for composing a word with |
//   Revision::set(0xa867'0005, 3) == 0xa867'3005, and Revision::kMask == 0xf000
//
// `T` is the type of the value: an unsigned integer, a signed one (sign-extended by get), an enum
// class, bool for one bit, or a type with `number()` and `from_number()` (a register name, say). A
// value that does not fit is a bug and aborts; nothing is cut off silently. No state, no lock, no
// allocation.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "base/check.h"

namespace pantry::datasheet {

// A value with a meaning of its own that travels as a plain number.
template <class T>
concept Numbered = requires(T value, std::uint64_t number) {
  { value.number() } -> std::convertible_to<std::uint64_t>;
  { T::from_number(number) } -> std::same_as<T>;
};

template <unsigned kHi, unsigned kLo, class T = std::uint32_t>
struct Field {
  static_assert(kLo <= kHi && kHi < 64);
  static_assert(!std::is_same_v<T, bool> || kHi == kLo, "a bool is one bit");

  using Value = T;
  // The narrowest register that holds the field.
  using Word = std::conditional_t<(kHi >= 32), std::uint64_t, std::uint32_t>;

  static constexpr unsigned kShift = kLo;
  static constexpr unsigned kWidth = kHi - kLo + 1;
  // The largest raw value: 0xf for four bits.
  static constexpr std::uint64_t kMax = ~std::uint64_t{0} >> (64 - kWidth);
  static constexpr Word kMask = static_cast<Word>(kMax << kLo);

  static constexpr T get(std::uint64_t word) {
    const std::uint64_t raw = (word >> kLo) & kMax;
    if constexpr (Numbered<T>) {
      return T::from_number(raw);
    } else if constexpr (std::is_enum_v<T> || std::is_unsigned_v<T>) {
      static_assert(sizeof(T) * 8 >= kWidth || std::is_same_v<T, bool>);
      return static_cast<T>(raw);
    } else {
      // Bit kWidth-1 is the sign: for 16 bits 0xff40 becomes -192.
      static_assert(sizeof(T) * 8 >= kWidth);
      return static_cast<T>(static_cast<std::int64_t>(raw << (64 - kWidth)) >> (64 - kWidth));
    }
  }

  // Whether of() takes the value.
  static constexpr bool fits(T value) {
    if constexpr (Numbered<T>) {
      return value.number() <= kMax;
    } else if constexpr (std::is_enum_v<T> || std::is_unsigned_v<T>) {
      return static_cast<std::uint64_t>(value) <= kMax;
    } else {
      constexpr std::int64_t kLimit = static_cast<std::int64_t>(kMax >> 1);
      return -kLimit - 1 <= value && value <= kLimit;
    }
  }

  // The field in place, all other bits 0.
  static constexpr Word of(T value) {
    std::uint64_t raw = 0;
    if constexpr (Numbered<T>) {
      raw = value.number();
    } else if constexpr (std::is_enum_v<T> || std::is_unsigned_v<T>) {
      raw = static_cast<std::uint64_t>(value);
    } else {
      const std::int64_t number = value;
      constexpr std::int64_t kLimit = static_cast<std::int64_t>(kMax >> 1);  // 32767 for 16 bits
      PANTRY_CHECK(-kLimit - 1 <= number && number <= kLimit);
      raw = static_cast<std::uint64_t>(number) & kMax;
    }
    PANTRY_CHECK(raw <= kMax);
    return static_cast<Word>(raw << kLo);
  }

  // `word` with the field replaced.
  template <std::unsigned_integral W>
  static constexpr W set(W word, T value) {
    static_assert(sizeof(W) * 8 > kHi, "the field lies outside this word");
    return static_cast<W>((word & ~static_cast<W>(kMask)) | of(value));
  }
};

// One bit. Bit<31>::kMask == 0x8000'0000.
template <unsigned kBit>
using Bit = Field<kBit, kBit, bool>;

}  // namespace pantry::datasheet
