// SPDX-License-Identifier: MIT
//
// Runs in the source tree, whose gpu_emu/models it reads.
#include "tools/device_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>

namespace pantry::tools {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kDirectory = "gpu_emu/models";

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string g610() { return text_of("gpu_emu/models/G610.json"); }

// With the first `from` replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(DeviceModel, TheDefaultIsTheG610sFile) {
  const auto model = load_model("G610", kDirectory);
  ASSERT_TRUE(model) << model.error();
  EXPECT_EQ(model->name, "G610");
  EXPECT_EQ(model->model, datasheet::kMaliG610);
  EXPECT_THAT(model->unknown, IsEmpty());
}

TEST(DeviceModel, EachFileIsAModelOfItsName) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    if (entry.path().extension() != ".json") continue;
    const auto model = load_model(entry.path(), "nowhere");
    ASSERT_TRUE(model) << entry.path() << ": " << model.error();
    EXPECT_EQ(model->name, entry.path().stem());
    EXPECT_EQ(model->model.gpu_id >> 28, 10u);
    ++count;
  }
  EXPECT_EQ(count, 4);
}

TEST(DeviceModel, NamesAreFoundInAnyCaseAndOthersAreListed) {
  EXPECT_TRUE(load_model("g710", kDirectory));
  const auto model = load_model("G72", kDirectory);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error(), HasSubstr("G310, G510, G610, G710"));
}

TEST(DeviceModel, FilesThatCannotBeRead) {
  EXPECT_THAT(load_model("./nothing.json", kDirectory).error(), HasSubstr("No such file"));
  EXPECT_FALSE(load_model("nothing.json", kDirectory));
  EXPECT_FALSE(load_model("gpu_emu/", kDirectory)) << "a directory";
  const std::string path = testing::TempDir() + "large-model-" + std::to_string(getpid()) + ".json";
  std::ofstream(path) << std::string(65'537, ' ');
  EXPECT_THAT(load_model(path, kDirectory).error(), HasSubstr("more than 65536 bytes"));
  std::filesystem::remove(path);
}

struct Spoilt {
  const char* name;
  const char* from;
  const char* to;
  const char* why;
};
std::ostream& operator<<(std::ostream& out, const Spoilt& spoilt) { return out << spoilt.name; }

class SpoiltModel : public testing::TestWithParam<Spoilt> {};

TEST_P(SpoiltModel, IsRefusedWithTheReason) {
  const auto model = parse_model(with(g610(), GetParam().from, GetParam().to));
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error(), HasSubstr(GetParam().why));
}

INSTANTIATE_TEST_SUITE_P(
    Each, SpoiltModel,
    testing::Values(
        Spoilt{"NoJson", "{", "", "parse error"},
        Spoilt{"Missing", "\"rev_id\": \"0x0\",", "", "registers has no \"rev_id\""},
        Spoilt{"Superfluous", "\"rev_id\"", "\"rev\": 0, \"rev_id\"",
               "\"rev\", which means nothing"},
        Spoilt{"SuperfluousAtTheTop", "\"name\"", "\"nmae\": 0, \"name\"", "\"nmae\", which means"},
        Spoilt{"Twice", "\"rev_id\"", "\"rev_id\": 1, \"rev_id\"", "\"rev_id\" is there twice"},
        Spoilt{"NoObject", "\"firmware\": {", "\"firmware\": 7, \"x\": {",
               "firmware is not an object"},
        Spoilt{"NameIsANumber", "\"G610\"", "610", "name is not a string"},
        Spoilt{"UnknownOfNothing", "\"unknown\": []", "\"unknown\": [\"colour\"]", "\"colour\""},
        Spoilt{"Negative", "2048", "-2048", "thread_max_threads is neither"},
        Spoilt{"Fraction", "2048", "20.48", "thread_max_threads is neither"},
        Spoilt{"DecimalString", "\"0xff\"", "\"255\"", "which is not \"0x...\""},
        Spoilt{"NoDigits", "\"0xff\"", "\"0x\"", "which is not \"0x...\""},
        Spoilt{"NoHexadecimalNumber", "\"0xff\"", "\"0xfg\"", "not a hexadecimal number"},
        Spoilt{"Past32Bits", "\"0xff\"", "\"0x1000000ff\"", "past 32 bits"},
        Spoilt{"Past64Bits", "\"0x50005\"", "\"0x10000000000050005\"", "past 64 bits"},
        Spoilt{"ThreeTextures", "\"0xc1ffff9e\", ", "", "texture_features is not an array of 4"},
        Spoilt{"TextureIsAnObject", "\"0xc1ffff9e\"", "{}", "texture_features[0] is neither"},
        Spoilt{"OtherArchitecture", "0xa8670005", "0xb8670005", "architecture 11"},
        Spoilt{"VaBits", "0x00002830", "0x00002829", "addresses of 41 bits"},
        Spoilt{"PaBits", "0x00002830", "0x00002930", "physical addresses of 41 bits"},
        Spoilt{"NoMcuSpace", "\"0xff\"", "\"0xfe\"", "as_present lacks bit 0"},
        Spoilt{"OneSpace", "\"0xff\"", "\"0x1\"", "2 to 16 address spaces"},
        Spoilt{"SeventeenSpaces", "\"0xff\"", "\"0x1ffff\"", "2 to 16 address spaces"},
        Spoilt{"NoCores", "\"0x50005\"", "0", "shader_present is 0"},
        Spoilt{"TooFewGroups", "\"group_slots\": 8", "\"group_slots\": 2", "Panthor needs 3"},
        Spoilt{"TooManyGroups", "\"group_slots\": 8", "\"group_slots\": 9", "at most 8"},
        Spoilt{"Streams", "\"stream_slots\": 8", "\"stream_slots\": 16", "firmware has 8"},
        Spoilt{"Registers", "96", "128", "firmware has 96"},
        Spoilt{"Scoreboards", "\"scoreboards\": 8", "\"scoreboards\": 16", "firmware has 8"},
        Spoilt{"StoppedClock", "24000000", "0", "timestamp_hz is 0"}),
    [](const auto& about) { return std::string(about.param.name); });

TEST(DeviceModel, AnyPrefixOfAFileIsRefused) {
  const std::string text = g610();
  for (std::size_t bytes = 0; bytes + 2 < text.size(); ++bytes)
    EXPECT_FALSE(parse_model(std::string_view(text).substr(0, bytes))) << bytes;
}

}  // namespace
}  // namespace pantry::tools
