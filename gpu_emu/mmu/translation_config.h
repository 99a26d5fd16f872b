// SPDX-License-Identifier: MIT
//
// What an address space's TRANSTAB, MEMATTR and TRANSCFG mean to a walk, decoded once, when the
// driver commits them with UPDATE. A value: no state, no lock, no allocation (but the log line for
// what the emulation leaves out).
#pragma once

#include <cstdint>

#include "base/types.h"
#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

// The three words as the driver wrote them. The default is what a reset leaves: nothing is mapped.
struct ConfigWords {
  std::uint64_t transtab = 0;
  std::uint64_t memattr = 0;
  std::uint64_t transcfg = datasheet::address_space::Transcfg::Mode::of(
      datasheet::address_space::AddressMode::kUnmapped);
  bool operator==(const ConfigWords&) const = default;
};

// From MMU_FEATURES.
struct AddressWidths {
  unsigned va_bits = 48;
  unsigned pa_bits = 40;
};

struct TranslationConfig {
  enum class Mode : std::uint8_t { kUnmapped, kIdentity, kLegacy, kAarch64 };
  enum class AccessFlag : std::uint8_t { kFaults, kIgnored };
  enum class Hierarchy : std::uint8_t { kIgnored, kHonoured };
  enum class Writable : std::uint8_t { kMayExecute, kNeverExecutes };

  Mode mode = Mode::kUnmapped;
  PhysAddr root;
  std::uint64_t memattr = 0;
  unsigned va_bits = 48;  // addresses at and above 2^va_bits fault
  unsigned pa_bits = 40;
  AccessFlag access_flag = AccessFlag::kFaults;
  Hierarchy hierarchy = Hierarchy::kIgnored;
  Writable writable = Writable::kMayExecute;

  // Modes and bits that the emulation does not have are logged as gaps and read as UNMAPPED or as
  // 0.
  static TranslationConfig decode(const ConfigWords& words, const AddressWidths& widths,
                                  const Quirks& quirks);

  bool has_tables() const { return mode == Mode::kLegacy || mode == Mode::kAarch64; }

  // The level of the root table: 0 for 48 bits, 1 for 39 and for 33.
  unsigned start_level() const { return 4 - (va_bits - 12 + 8) / 9; }
};

}  // namespace pantry::emu
