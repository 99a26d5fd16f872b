// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/firmware_image.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace pantry::datasheet::firmware_image {
namespace {

// The smallest image that Panthor boots: one shared section of 80 KiB at 0x0400'0000, filled with
// zeroes.
constexpr std::uint8_t kImage[] = {
    0x6e, 0x3a, 0xf1, 0xc3, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x2c, 0x00, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00, 0x13, 0x00, 0x00, 0xc0, 0x00, 0x00,
    0x00, 0x04, 0x00, 0x40, 0x01, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

std::uint32_t word_at(std::uint32_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, kImage + offset, sizeof word);
  return word;
}

TEST(FirmwareImage, Header) {
  EXPECT_EQ(word_at(header::kMagic), kMagicValue);
  EXPECT_EQ(kImage[header::kMinor], 3);
  EXPECT_LE(kImage[header::kMajor], kMaxMajor);
  EXPECT_EQ(word_at(header::kVersionHash), 0u);
  EXPECT_EQ(word_at(header::kSize), sizeof kImage);
}

TEST(FirmwareImage, SectionEntry) {
  const std::uint32_t entry = word_at(header::kBytes);
  EXPECT_EQ(EntryHeader::Type::get(entry), EntryType::kSection);
  EXPECT_EQ(EntryHeader::Bytes::get(entry), kEntryHeaderBytes + section::kBytes);
  EXPECT_FALSE(EntryHeader::Optional::get(entry));

  constexpr std::uint32_t kPayload = header::kBytes + kEntryHeaderBytes;
  EXPECT_EQ(word_at(kPayload + section::kVaStart), 0x0400'0000u);
  EXPECT_EQ(word_at(kPayload + section::kVaEnd), 0x0401'4000u);
  EXPECT_EQ(word_at(kPayload + section::kDataStart), 0u);
  EXPECT_EQ(word_at(kPayload + section::kDataEnd), 0u);

  const std::uint32_t flags = word_at(kPayload + section::kFlags);
  EXPECT_TRUE(SectionFlags::Read::get(flags));
  EXPECT_TRUE(SectionFlags::Write::get(flags));
  EXPECT_FALSE(SectionFlags::Execute::get(flags));
  EXPECT_EQ(SectionFlags::Cache::get(flags), CacheMode::kUncachedCoherent);
  EXPECT_FALSE(SectionFlags::Protected::get(flags));
  EXPECT_TRUE(SectionFlags::Shared::get(flags));
  EXPECT_TRUE(SectionFlags::Zero::get(flags));
  EXPECT_EQ(flags & ~SectionFlags::kSupportedMask, 0u);
}

TEST(FirmwareImage, TheSupportedFlagsAreTheNamedOnes) {
  EXPECT_EQ(SectionFlags::Read::kMask | SectionFlags::Write::kMask | SectionFlags::Execute::kMask |
                SectionFlags::Cache::kMask | SectionFlags::Protected::kMask |
                SectionFlags::Shared::kMask | SectionFlags::Zero::kMask,
            SectionFlags::kSupportedMask);
}

}  // namespace
}  // namespace pantry::datasheet::firmware_image
