// SPDX-License-Identifier: MIT
#include "gpu_emu/mmu/translation_config.h"

#include <algorithm>

#include "base/log.h"

namespace pantry::emu {
namespace {

namespace as = datasheet::address_space;

// Bits of TRANSTAB that are not an address, in either format.
constexpr std::uint64_t kTranstabLowBits = 0xf;
constexpr std::uint64_t kLegacyTranstabLowBits = 0xfff;

constexpr unsigned kLegacyVaBits = 48;
constexpr unsigned kLegacyPaBits = 40;
constexpr unsigned kSmallestVaBits = 13;  // one table level

// 7 is 48 bits, 16 is 39, 22 is 33; 0 is all that the device has.
unsigned va_bits_of(std::uint64_t transcfg, const AddressWidths& widths, const Quirks& quirks) {
  const std::uint32_t field = as::Transcfg::InaBits::get(transcfg);
  if (field == 0 || quirks.ina_bits == Quirks::InaBits::kIgnored) return widths.va_bits;
  return std::clamp(as::kInaBitsBase - field, kSmallestVaBits, widths.va_bits);
}

void log_gaps(std::uint64_t transcfg) {
  if (as::Transcfg::OutaBits::get(transcfg) != 0 || as::Transcfg::SlConcat::get(transcfg) ||
      as::Transcfg::XReadable::get(transcfg)) {
    log_gap("gpu_emu/mmu", "TRANSCFG {:#x}: OUTA_BITS, SL_CONCAT and XREADABLE are not emulated",
            transcfg);
  }
}

}  // namespace

TranslationConfig TranslationConfig::decode(const ConfigWords& words, const AddressWidths& widths,
                                            const Quirks& quirks) {
  using as::Transcfg;
  TranslationConfig config;
  config.memattr = words.memattr;
  config.va_bits = widths.va_bits;
  config.pa_bits = widths.pa_bits;
  const as::AddressMode mode = Transcfg::Mode::get(words.transcfg);
  switch (mode) {
    case as::AddressMode::kUnmapped:
      break;
    case as::AddressMode::kIdentity:
      config.mode = Mode::kIdentity;
      break;
    case as::AddressMode::kLegacy:
      // The word's own mode field: 0 unmapped, 2 identity, 3 a table.
      switch (as::LegacyTranstab::Mode::get(words.transtab)) {
        case 0:
          break;
        case 2:
          config.mode = Mode::kIdentity;
          break;
        case 3:
          config.mode = Mode::kLegacy;
          config.root = {words.transtab & ~kLegacyTranstabLowBits};
          config.va_bits = std::min(widths.va_bits, kLegacyVaBits);
          config.pa_bits = std::min(widths.pa_bits, kLegacyPaBits);
          break;
        default:
          log_gap("gpu_emu/mmu",
                  "TRANSTAB {:#x}: this legacy mode is not emulated, nothing is mapped",
                  words.transtab);
      }
      break;
    case as::AddressMode::kAarch64_4k:
      config.mode = Mode::kAarch64;
      config.root = {words.transtab & ~kTranstabLowBits};
      config.va_bits = va_bits_of(words.transcfg, widths, quirks);
      config.access_flag = Transcfg::DisableAccessFlagFault::get(words.transcfg)
                               ? AccessFlag::kIgnored
                               : AccessFlag::kFaults;
      config.hierarchy =
          quirks.hierarchical_attributes == Quirks::HierarchicalAttributes::kHonoured &&
                  !Transcfg::DisableHierarchicalAp::get(words.transcfg)
              ? Hierarchy::kHonoured
              : Hierarchy::kIgnored;
      config.writable = Transcfg::WriteImpliesXn::get(words.transcfg) ? Writable::kNeverExecutes
                                                                      : Writable::kMayExecute;
      log_gaps(words.transcfg);
      break;
    case as::AddressMode::kAarch64_64k:
    default:
      log_gap("gpu_emu/mmu", "TRANSCFG {:#x}: this address mode is not emulated, nothing is mapped",
              words.transcfg);
  }
  return config;
}

}  // namespace pantry::emu
