// SPDX-License-Identifier: MIT
#include "gpu_emu/mmio/register_file.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace pantry::emu {
namespace {

using datasheet::ro32;
using datasheet::ro64;
using datasheet::rw32;
using datasheet::rw64;
using datasheet::w1c32;
using datasheet::wo32;

// Answers a read with the offset itself and remembers what was written.
class Recorder final : public RegisterHandler {
 public:
  std::uint32_t read_register(std::uint32_t offset) override { return offset; }
  void write_register(std::uint32_t offset, std::uint32_t value) override {
    writes.push_back({offset, value});
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> writes;
};

TEST(RegisterFile, ConstantsReadTheirValueAndCannotBeWritten) {
  RegisterFile file;
  file.declare_constant(ro32(0x10, "A"), 0x1234);
  file.declare_constant(ro64(0x20, "B"), 0x1122'3344'5566'7788);
  EXPECT_EQ(file.read(0x10), 0x1234u);
  EXPECT_EQ(file.read(0x20), 0x5566'7788u);
  EXPECT_EQ(file.read(0x24), 0x1122'3344u);
  EXPECT_EQ(file.misses(), RegisterFile::Misses{});
  file.write(0x10, 7);
  EXPECT_EQ(file.read(0x10), 0x1234u);
  EXPECT_EQ(file.misses(), (RegisterFile::Misses{0, 1}));
}

TEST(RegisterFile, PlainRegistersStoreEachHalfAndGoBackAtReset) {
  RegisterFile file;
  const auto reg = rw64(0x100, "A");
  file.declare_plain(reg, 0xaaaa'0000'bbbb);
  file.write(0x104, 0x55);
  EXPECT_EQ(file.value_of(reg), 0x55'0000'bbbbu);
  file.write(0x100, 0x66);
  EXPECT_EQ(file.read(0x100), 0x66u);
  EXPECT_EQ(file.read(0x104), 0x55u);
  file.reset_plain();
  EXPECT_EQ(file.value_of(reg), 0xaaaa'0000'bbbbu);
}

TEST(RegisterFile, WriteOnlyRegistersHoldWhatWasWrittenButReadZero) {
  RegisterFile file;
  const auto reg = wo32(0x50, "KEY");
  file.declare_plain(reg, 0);
  file.write(0x50, 0x2968'a819);
  EXPECT_EQ(file.value_of(reg), 0x2968'a819u);
  EXPECT_EQ(file.read(0x50), 0u);
  EXPECT_EQ(file.read(0x50), 0u);
  EXPECT_EQ(file.misses(), (RegisterFile::Misses{0, 1})) << "logged once";
}

TEST(RegisterFile, WriteOneToClearClearsTheBitsWrittenAsOne) {
  RegisterFile file;
  const auto reg = w1c32(0x60, "PENDING");
  file.declare_plain(reg, 0xff);
  file.write(0x60, 0x0f);
  EXPECT_EQ(file.value_of(reg), 0xf0u);
  EXPECT_EQ(file.read(0x60), 0u);
}

TEST(RegisterFile, HandledRegistersGetTheOffsetAndOnlyAllowedAccesses) {
  RegisterFile file;
  Recorder recorder;
  file.declare_handled(rw64(0x8, "A"), recorder);
  file.declare_handled(ro32(0x10, "B"), recorder);
  file.declare_handled(wo32(0x14, "C"), recorder);
  EXPECT_EQ(file.read(0xc), 0xcu);
  file.write(0xc, 1);
  file.write(0x10, 2);
  file.write(0x14, 3);
  EXPECT_EQ(file.read(0x14), 0u);
  EXPECT_EQ(recorder.writes,
            (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0xc, 1}, {0x14, 3}}));
}

TEST(RegisterFile, UnknownOffsetsReadZeroAndAreCountedOnceEach) {
  RegisterFile file;
  file.declare_plain(rw32(0x10, "A"), 1);
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(file.read(0x14), 0u);
    file.write(0x18, 5);
    EXPECT_EQ(file.read(0x18), 0u);
  }
  EXPECT_EQ(file.misses(), (RegisterFile::Misses{2, 0}));
  // Outside of the aperture, and between registers.
  EXPECT_EQ(file.read(datasheet::kApertureBytes), 0u);
  EXPECT_EQ(file.read(0xffff'fffc), 0u);
  file.write(0x11, 5);
  EXPECT_EQ(file.read(0x10), 1u);
}

TEST(RegisterFile, LastRegisterOfTheApertureCanBeDeclared) {
  RegisterFile file;
  file.declare_plain(rw32(datasheet::kApertureBytes - 4, "LAST"), 9);
  EXPECT_EQ(file.read(datasheet::kApertureBytes - 4), 9u);
}

TEST(RegisterFileDeathTest, AnOffsetIsDeclaredOnce) {
  RegisterFile file;
  file.declare_plain(rw64(0x10, "A"), 0);
  EXPECT_DEATH(file.declare_plain(rw32(0x14, "B"), 0), "kUnknown");
}

TEST(RegisterFile, AtBaseMovesARegister) {
  const auto reg = at_base(rw32(0x18, "A"), 0x2400);
  EXPECT_EQ(reg.offset, 0x2418u);
  EXPECT_EQ(reg.bytes, 4);
  EXPECT_EQ(reg.access, datasheet::RegisterAccess::kReadWrite);
}

}  // namespace
}  // namespace pantry::emu
