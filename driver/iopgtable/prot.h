// SPDX-License-Identifier: MIT
//
// What a mapping allows, before any page-table format puts it into bits. Reads are always allowed.
#pragma once

#include <cstdint>

namespace pantry::driver {

// The values are those of the VM_BIND flags.
enum class Prot : std::uint32_t {
  kNone = 0,
  kReadOnly = 1,
  kNoExec = 2,
  kUncached = 4,
};

constexpr Prot operator|(Prot a, Prot b) {
  return static_cast<Prot>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr Prot operator&(Prot a, Prot b) {
  return static_cast<Prot>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}
constexpr Prot& operator|=(Prot& a, Prot b) { return a = a | b; }
constexpr bool has(Prot set, Prot bit) { return (set & bit) == bit; }

}  // namespace pantry::driver
