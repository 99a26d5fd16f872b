// SPDX-License-Identifier: MIT
#include "driver/csf/firmware_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>

namespace pantry::driver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Builds an image word by word.
class ImageBuilder {
 public:
  ImageBuilder() : bytes_(20) {
    put(0, 0xc3f1'3a6e);
    bytes_[4] = 3;
  }
  // An entry: header and payload.
  ImageBuilder& entry(std::uint32_t header, std::vector<std::uint32_t> payload) {
    const std::uint32_t bytes = 4 + 4 * static_cast<std::uint32_t>(payload.size());
    append(header | bytes << 8);
    for (const std::uint32_t word : payload) append(word);
    return *this;
  }
  ImageBuilder& section(std::uint32_t flags, std::uint32_t from, std::uint32_t to,
                        std::uint32_t data_from, std::uint32_t data_to) {
    return entry(0, {flags, from, to, data_from, data_to});
  }
  ImageBuilder& shared() { return section(0xc000'0013, 0x0400'0000, 0x0401'4000, 0, 0); }
  std::vector<std::uint8_t> finish() {
    put(16, static_cast<std::uint32_t>(bytes_.size()));
    return bytes_;
  }
  std::vector<std::uint8_t> finish_with_data(const std::vector<std::uint8_t>& data) {
    std::vector<std::uint8_t> file = finish();
    file.insert(file.end(), data.begin(), data.end());
    return file;
  }
  std::size_t size() const { return bytes_.size(); }

 private:
  void append(std::uint32_t word) {
    bytes_.resize(bytes_.size() + 4);
    put(bytes_.size() - 4, word);
  }
  void put(std::size_t at, std::uint32_t word) { std::memcpy(&bytes_[at], &word, 4); }
  std::vector<std::uint8_t> bytes_;
};

void expect_refused(const std::vector<std::uint8_t>& file, const char* why) {
  const auto image = FirmwareImage::parse(file);
  ASSERT_FALSE(image.has_value());
  EXPECT_THAT(image.error(), HasSubstr(why));
}

// The minimal image of mali-csf-hw.md §3.1, byte for byte.
TEST(FirmwareImage, MinimalImage) {
  const std::vector<std::uint8_t> file = {0x6e, 0x3a, 0xf1, 0xc3, 0x03, 0,    0, 0, 0, 0,    0,
                                          0,    0,    0,    0,    0,    0x2c, 0, 0, 0, 0x00, 0x18,
                                          0x00, 0,    0x13, 0,    0,    0xc0, 0, 0, 0, 0x04, 0x00,
                                          0x40, 0x01, 0x04, 0,    0,    0,    0, 0, 0, 0,    0};
  ASSERT_EQ(file.size(), 44u);
  const auto image = FirmwareImage::parse(file);
  ASSERT_TRUE(image.has_value()) << image.error();
  ASSERT_EQ(image->sections().size(), 1u);
  EXPECT_EQ(image->shared_section(), 0u);
  const FirmwareSection& section = image->sections()[0];
  EXPECT_EQ(section.range, GpuRange::of_size({0x0400'0000}, 0x1'4000));
  EXPECT_EQ(section.prot, Prot::kNoExec | Prot::kUncached);
  EXPECT_EQ(section.rest, FirmwareSection::Rest::kZeroed);
  EXPECT_EQ(section.sharing, FirmwareSection::Sharing::kWithHost);
  EXPECT_TRUE(section.data.empty());
}

TEST(FirmwareImage, SectionsWithDataNameAndProtection) {
  ImageBuilder builder;
  builder.shared();
  // Read and execute, cached; named "code".
  const auto data_at = static_cast<std::uint32_t>(builder.size() + 32);
  builder.entry(0, {0x0000'000d, 0x1000, 0x3000, data_at, data_at + 3, 0x6564'6f63, 0});
  ASSERT_EQ(builder.size(), data_at);
  const auto image = FirmwareImage::parse(builder.finish_with_data({7, 8, 9}));
  ASSERT_TRUE(image.has_value()) << image.error();
  ASSERT_EQ(image->sections().size(), 2u);
  const FirmwareSection& code = image->sections()[1];
  EXPECT_EQ(code.range, GpuRange::of_size({0x1000}, 0x2000));
  EXPECT_EQ(code.prot, Prot::kReadOnly);
  EXPECT_EQ(code.rest, FirmwareSection::Rest::kLeft);
  EXPECT_EQ(code.sharing, FirmwareSection::Sharing::kFirmwareOnly);
  EXPECT_THAT(code.data, ElementsAre(7, 8, 9));
  EXPECT_EQ(code.name, "code");
}

TEST(FirmwareImage, WhatNobodyUsesIsSkipped) {
  ImageBuilder builder;
  builder.entry(1, {1, 2, 3}).entry(2, {}).entry(3, {0, 0}).entry(4, {0});
  builder.entry(0x8000'0000 | 6, {1, 2}).entry(0x8000'0000 | 200, {});
  builder.section(0x0000'0023, 0x8000, 0x9000, 0, 0);  // protected mode
  builder.section(0x0000'0003, 0x8000, 0x8000, 0, 0);  // empty
  builder.shared();
  const auto image = FirmwareImage::parse(builder.finish());
  ASSERT_TRUE(image.has_value()) << image.error();
  EXPECT_EQ(image->sections().size(), 1u);
}

TEST(FirmwareImage, MalformedHeaders) {
  expect_refused({}, "shorter than its header");
  expect_refused(std::vector<std::uint8_t>(19), "shorter than its header");
  std::vector<std::uint8_t> file = ImageBuilder().shared().finish();
  file[0] ^= 1;
  expect_refused(file, "magic");
  file[0] ^= 1;
  file[5] = 1;
  expect_refused(file, "major version");
  file[5] = 0;
  file[16] += 4;
  expect_refused(file, "longer than the file");
  file[16] -= 6;
  expect_refused(file, "longer than the table");
}

TEST(FirmwareImage, MalformedEntries) {
  std::vector<std::uint8_t> file = ImageBuilder().shared().finish();
  file[21] = 0;
  expect_refused(file, "shorter than its header");
  file[21] = 2;
  expect_refused(file, "not aligned");
  file[21] = 20;
  expect_refused(file, "section entry is too short");
  expect_refused(ImageBuilder().shared().entry(77, {}).finish(), "unknown type is not optional");
  expect_refused(ImageBuilder().finish(), "no interface section");
  file = ImageBuilder().shared().finish_with_data({1, 2});
  file[16] += 2;
  expect_refused(file, "cut off");
}

TEST(FirmwareImage, MalformedSections) {
  const auto with = [](std::uint32_t flags, std::uint32_t from, std::uint32_t to,
                       std::uint32_t data_from, std::uint32_t data_to) {
    return ImageBuilder().shared().section(flags, from, to, data_from, data_to).finish();
  };
  expect_refused(with(3, 0x1000, 0x2000, 8, 4), "data of a section ends before");
  expect_refused(with(3, 0x2000, 0x1000, 0, 0), "section ends before");
  expect_refused(with(3, 0x1000, 0x2000, 0, 0x1000), "behind the end of the file");
  expect_refused(with(3, 0x1008, 0x2000, 0, 0), "not page-aligned");
  expect_refused(with(3, 0x1000, 0x1fff, 0, 0), "not page-aligned");
  expect_refused(with(0x43, 0x1000, 0x2000, 0, 0), "flags that do not exist");
  expect_refused(with(3, 0x1000, 0x1000, 0, 4), "larger than the section");
  expect_refused(with(3, 0x0400'1000, 0x0400'2000, 0, 0), "overlap");
  expect_refused(with(0xc000'0013, 0x0400'0000, 0x0401'0000, 0, 0), "two interface sections");
  expect_refused(ImageBuilder().section(3, 0x0400'0000, 0x0401'0000, 0, 0).finish(), "not shared");
}

// Whatever the bytes are, parsing ends, and what it lets through lies where it says.
RC_GTEST_PROP(FirmwareImage, SurvivesDamage, (std::vector<std::uint8_t> noise)) {
  ImageBuilder builder;
  builder.shared();
  const auto data_at = static_cast<std::uint32_t>(builder.size() + 24);
  builder.section(0x8000'0003, 0x1000, 0x2000, data_at, data_at + 2);
  builder.entry(2, {5});
  std::vector<std::uint8_t> file = builder.finish_with_data({1, 2});
  for (std::size_t i = 0; i + 1 < noise.size(); i += 2)
    file[(noise[i] + std::size_t{i}) % file.size()] = noise[i + 1];
  const auto image = FirmwareImage::parse(file);
  if (!image) return;
  RC_ASSERT(image->shared_section() < image->sections().size());
  for (const FirmwareSection& section : image->sections()) {
    RC_ASSERT(is_aligned(section.range.first.value, kPageSize));
    RC_ASSERT(is_aligned(section.range.size(), kPageSize));
    RC_ASSERT(section.range.last.value <= 0xffff'ffffu);
    RC_ASSERT(section.data.size() <= section.range.size());
  }
}

}  // namespace
}  // namespace pantry::driver
