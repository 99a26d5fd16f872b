// SPDX-License-Identifier: MIT
#include "gpu_emu/mmu/translation_config.h"

#include <gtest/gtest.h>

namespace pantry::emu {
namespace {

using Mode = TranslationConfig::Mode;

TranslationConfig decode(std::uint64_t transtab, std::uint64_t transcfg, const Quirks& quirks) {
  return TranslationConfig::decode({transtab, 0x1122, transcfg}, {48, 40}, quirks);
}

TEST(TranslationConfig, DefaultsMapNothing) {
  EXPECT_EQ(ConfigWords{}.transcfg, 1u);
  EXPECT_EQ(TranslationConfig::decode({}, {48, 40}, {}).mode, Mode::kUnmapped);
}

TEST(TranslationConfig, WordsThatPanthorWrites) {
  struct Row {
    std::uint64_t transcfg;
    unsigned va_bits, start_level;
  };
  for (const Row& row : {Row{0x4200'01c6, 48, 0}, Row{0x6200'01c6, 48, 0}, Row{0x4200'0406, 39, 1},
                         Row{0x4200'0586, 33, 1}}) {
    const TranslationConfig config = decode(0x8'1234'5000, row.transcfg, {});
    EXPECT_EQ(config.mode, Mode::kAarch64);
    EXPECT_EQ(config.root.value, 0x8'1234'5000u);
    EXPECT_EQ(config.memattr, 0x1122u);
    EXPECT_EQ(config.va_bits, row.va_bits);
    EXPECT_EQ(config.pa_bits, 40u);
    EXPECT_EQ(config.start_level(), row.start_level);
    EXPECT_EQ(config.access_flag, TranslationConfig::AccessFlag::kFaults);
  }
}

TEST(TranslationConfig, InaBitsZeroIsAllThatTheDeviceHas) {
  EXPECT_EQ(decode(0, 0x6, {}).va_bits, 48u);
  EXPECT_EQ(TranslationConfig::decode({0, 0, 0x6}, {40, 40}, {}).va_bits, 40u);
  // More than the device has is cut off.
  EXPECT_EQ(TranslationConfig::decode({0, 0, 0x1c6}, {40, 40}, {}).va_bits, 40u);
  Quirks ignored;
  ignored.ina_bits = Quirks::InaBits::kIgnored;
  EXPECT_EQ(decode(0, 0x4200'0586, ignored).va_bits, 48u);
}

TEST(TranslationConfig, LowBitsOfTranstabAreNotAddress) {
  EXPECT_EQ(decode(0x1'2345'678f, 0x6, {}).root.value, 0x1'2345'6780u);
}

TEST(TranslationConfig, LegacyModeIsInTranstab) {
  const auto legacy = [](std::uint64_t transtab) { return decode(transtab, 0, {}); };
  EXPECT_EQ(legacy(0x5000).mode, Mode::kUnmapped);
  EXPECT_EQ(legacy(0x5002).mode, Mode::kIdentity);
  const TranslationConfig table = legacy(0x5000 | 0x10 | 4 | 3);
  EXPECT_EQ(table.mode, Mode::kLegacy);
  EXPECT_EQ(table.root.value, 0x5000u);
  EXPECT_EQ(table.start_level(), 0u);
}

TEST(TranslationConfig, Flags) {
  EXPECT_EQ(decode(0, 0x6 | std::uint64_t{1} << 34, {}).access_flag,
            TranslationConfig::AccessFlag::kIgnored);
  EXPECT_EQ(decode(0, 0x6 | std::uint64_t{1} << 35, {}).writable,
            TranslationConfig::Writable::kNeverExecutes);
  Quirks honoured;
  honoured.hierarchical_attributes = Quirks::HierarchicalAttributes::kHonoured;
  EXPECT_EQ(decode(0, 0x6, {}).hierarchy, TranslationConfig::Hierarchy::kIgnored);
  EXPECT_EQ(decode(0, 0x6, honoured).hierarchy, TranslationConfig::Hierarchy::kHonoured);
  EXPECT_EQ(decode(0, 0x6 | std::uint64_t{1} << 33, honoured).hierarchy,
            TranslationConfig::Hierarchy::kIgnored);
}

TEST(TranslationConfig, ModesThatAreNotEmulatedMapNothing) {
  EXPECT_EQ(decode(0x5000, 8, {}).mode, Mode::kUnmapped);
  EXPECT_EQ(decode(0x5000, 5, {}).mode, Mode::kUnmapped);
  EXPECT_EQ(decode(0x5001, 0, {}).mode, Mode::kUnmapped);
  EXPECT_EQ(decode(0x5000, 2, {}).mode, Mode::kIdentity);
}

}  // namespace
}  // namespace pantry::emu
