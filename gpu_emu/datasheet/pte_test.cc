// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstdint>

#include "gpu_emu/datasheet/aarch64_pte.h"
#include "gpu_emu/datasheet/mali_lpae_pte.h"

namespace pantry::datasheet {
namespace {

namespace arm = aarch64_pte;
namespace mali = mali_lpae_pte;

std::uint64_t leaf(arm::Type type, unsigned attribute, arm::Shareability shareability) {
  std::uint64_t word = 0;
  word = arm::DescriptorType::set(word, type);
  word = arm::AttrIndex::set(word, attribute);
  word = arm::ApUnprivileged::set(word, true);
  word = arm::LeafShareability::set(word, shareability);
  word = arm::AccessFlag::set(word, true);
  return arm::NotGlobal::set(word, true);
}

TEST(Aarch64Pte, LeavesThatLinuxWrites) {
  EXPECT_EQ(leaf(arm::Type::kTableOrPage, 1, arm::Shareability::kInner), 0xf47u);
  EXPECT_EQ(leaf(arm::Type::kBlock, 1, arm::Shareability::kInner), 0xf45u);
  EXPECT_EQ(leaf(arm::Type::kTableOrPage, 0, arm::Shareability::kOuter), 0xe43u);
  EXPECT_EQ(arm::ApReadOnly::kMask, 0x80u);
  EXPECT_EQ(arm::ExecuteNever::kMask | arm::PrivilegedExecuteNever::kMask, std::uint64_t{3} << 53);
  EXPECT_EQ(arm::TableSynced::kMask, std::uint64_t{1} << 55);
}

// Every bit of a leaf belongs to exactly one name, but for bits 50:48, which v10 leaves reserved.
TEST(Aarch64Pte, TheNamesTileTheWord) {
  const std::uint64_t masks[] = {
      arm::DescriptorType::kMask, arm::AttrIndex::kMask,  arm::NonSecure::kMask,
      arm::ApUnprivileged::kMask, arm::ApReadOnly::kMask, arm::LeafShareability::kMask,
      arm::AccessFlag::kMask,     arm::NotGlobal::kMask,  arm::kAddressMask,
      arm::DirtyModifier::kMask,  arm::Contiguous::kMask, arm::PrivilegedExecuteNever::kMask,
      arm::ExecuteNever::kMask,   arm::Software::kMask,   arm::TablePxn::kMask,
      arm::TableXn::kMask,        arm::TableAp::kMask,    arm::TableNonSecure::kMask};
  std::uint64_t seen = 0;
  for (const std::uint64_t mask : masks) {
    EXPECT_EQ(seen & mask, 0u) << std::hex << mask;
    seen |= mask;
  }
  EXPECT_EQ(seen, ~(std::uint64_t{7} << 48));
}

TEST(Aarch64Pte, AddressMasks) {
  EXPECT_EQ(0xffff'ffff'ffff'ffff & arm::kAddressMask, 0x0000'ffff'ffff'f000u);
  EXPECT_EQ(0x0060'0000'8020'0f45 & arm::kBlock2MibMask, 0x8020'0000u);
  EXPECT_EQ(~arm::kBlock2MibMask & arm::kAddressMask, 0x1f'f000u);
  EXPECT_EQ(~arm::kBlock1GibMask & arm::kAddressMask, 0x3fff'f000u);
}

TEST(MaliLpaePte, AReadWriteLeafOfPanfrost) {
  std::uint64_t word = 0x12'3456'7000;
  word = mali::DescriptorType::set(word, mali::Type::kLeaf);
  word = mali::AttrIndex::set(word, 2);
  word = mali::Read::set(word, true);
  word = mali::Write::set(word, true);
  word = mali::Shareability::set(word, 2);
  EXPECT_EQ(word, 0x12'3456'72c9u);
  EXPECT_EQ(word & mali::kAddressMask, 0x12'3456'7000u);
}

}  // namespace
}  // namespace pantry::datasheet
