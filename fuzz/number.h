// SPDX-License-Identifier: MIT
//
// A number of up to 64 bits, in few bytes where it is one of those on which rules turn:
//
//   0x00-0x7f  the number itself: handles, counts, small flags
//   0x80-0xbf  2^n
//   0xc0-0xdf  n pages of 4 KiB
//   0xe0-0xef  2^64 - 1 - n
//   0xf0-0xf7  2^32 - 1 - n
//   0xf8-0xff  the eight bytes that follow
#pragma once

#include <cstdint>

#include "fuzz/input.h"

namespace pantry::fuzz {

inline std::uint64_t take_number(Input& input) {
  const auto byte = input.take<std::uint8_t>();
  if (byte < 0x80) return byte;
  if (byte < 0xc0) return std::uint64_t{1} << (byte - 0x80);
  if (byte < 0xe0) return std::uint64_t{4096} * (byte - 0xc0u);
  if (byte < 0xf0) return ~std::uint64_t{byte - 0xe0u};
  if (byte < 0xf8) return 0xffff'ffffu - (byte - 0xf0u);
  return input.take<std::uint64_t>();
}

// The other direction: `byte(n)` is called for each byte.
template <class PutByte>
void put_number(std::uint64_t number, PutByte byte) {
  if (number < 0x80) return byte(static_cast<std::uint8_t>(number));
  if ((number & (number - 1)) == 0)
    return byte(static_cast<std::uint8_t>(0x80 + __builtin_ctzll(number)));
  if (number % 4096 == 0 && number / 4096 < 0x20)
    return byte(static_cast<std::uint8_t>(0xc0 + number / 4096));
  byte(0xf8);
  for (int n = 0; n < 8; ++n) byte(static_cast<std::uint8_t>(number >> 8 * n));
}

}  // namespace pantry::fuzz
