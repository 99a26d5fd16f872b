// SPDX-License-Identifier: MIT
//
// The words that each format makes, bit by bit, from the architectures' manuals.
#include "driver/iopgtable/table_format.h"

#include <gtest/gtest.h>

#include <vector>

#include "driver/iopgtable/amd_v1.h"
#include "driver/iopgtable/arm_lpae_s1.h"
#include "driver/iopgtable/arm_lpae_s2.h"
#include "driver/iopgtable/mali_lpae.h"
#include "driver/iopgtable/risc_v.h"
#include "driver/iopgtable/vtd_second_stage.h"
#include "driver/iopgtable/x86_64.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t bit(unsigned n) { return std::uint64_t{1} << n; }
constexpr Prot kAll = Prot::kReadOnly | Prot::kNoExec | Prot::kUncached;

TEST(ArmLpaeS1, Leaves) {
  EXPECT_EQ(ArmLpaeS1::leaf({0x12'3456'7000}, Prot::kNone, 0), 0x12'3456'7f47u);
  EXPECT_EQ(ArmLpaeS1::leaf({0x12'3460'0000}, Prot::kNone, 1), 0x12'3460'0f45u);
  EXPECT_EQ(ArmLpaeS1::leaf({0x12'4000'0000}, Prot::kNone, 2), 0x12'4000'0f45u);
  EXPECT_EQ(ArmLpaeS1::leaf({0}, kAll, 0), 0x0060'0000'0000'0ec3u);
  EXPECT_EQ(ArmLpaeS1::kContiguousBit, bit(52));
}

TEST(ArmLpaeS1, DirtyStateIsInTheWritePermission) {
  const std::uint64_t clean = ArmLpaeS1::clean(ArmLpaeS1::leaf({0}, Prot::kNone, 0));
  EXPECT_EQ(clean, 0xfc7 | bit(51));
  EXPECT_FALSE(ArmLpaeS1::is_dirty(clean));
  const std::uint64_t written = clean & ~bit(7);  // what the walker makes of it
  EXPECT_TRUE(ArmLpaeS1::is_dirty(written));
  EXPECT_EQ(ArmLpaeS1::mark_dirty(clean), written);
  EXPECT_EQ(ArmLpaeS1::clean(written), clean);
  const std::uint64_t read_only = ArmLpaeS1::leaf({0}, Prot::kReadOnly, 0);
  EXPECT_EQ(ArmLpaeS1::clean(read_only), read_only);
  // The walker must not take it for writeable clean.
  EXPECT_EQ(ArmLpaeS1::mark_dirty(read_only), read_only | bit(56));
}

TEST(ArmLpaeS2, Leaves) {
  // Page, MemAttr 0b1111, read and write, inner shareable, accessed.
  EXPECT_EQ(ArmLpaeS2::leaf({0x12'3456'7000}, Prot::kNone, 0), 0x12'3456'77ffu);
  EXPECT_EQ(ArmLpaeS2::leaf({0x12'3460'0000}, Prot::kNone, 1), 0x12'3460'07fdu);
  EXPECT_EQ(ArmLpaeS2::leaf({0x12'4000'0000}, Prot::kNone, 2), 0x12'4000'07fdu);
  // MemAttr 0b0101, outer shareable.
  EXPECT_EQ(ArmLpaeS2::leaf({0}, Prot::kUncached, 0), 0x6d7u);
  EXPECT_EQ(ArmLpaeS2::leaf({0}, Prot::kReadOnly, 0), 0x77fu);
  EXPECT_EQ(ArmLpaeS2::leaf({0}, Prot::kNoExec, 0), bit(54) | 0x7ff);
  EXPECT_EQ(ArmLpaeS2::leaf({0}, kAll, 0), bit(54) | 0x657);
  EXPECT_EQ(ArmLpaeS2::table({0x12'3456'7000}, 1), 0x12'3456'7003u);
  EXPECT_EQ(ArmLpaeS2::kContiguousBit, bit(52));
}

TEST(ArmLpaeS2, DirtyStateIsInTheWritePermission) {
  const std::uint64_t clean = ArmLpaeS2::clean(ArmLpaeS2::leaf({0}, Prot::kNone, 0));
  EXPECT_EQ(clean, 0x77f | bit(51));
  EXPECT_FALSE(ArmLpaeS2::is_dirty(clean));
  const std::uint64_t written = clean | bit(7);
  EXPECT_TRUE(ArmLpaeS2::is_dirty(written));
  EXPECT_EQ(ArmLpaeS2::mark_dirty(clean), written);
  EXPECT_EQ(ArmLpaeS2::clean(written), clean);
  const std::uint64_t read_only = ArmLpaeS2::leaf({0}, Prot::kReadOnly, 0);
  EXPECT_EQ(ArmLpaeS2::clean(read_only), read_only);
  EXPECT_EQ(ArmLpaeS2::mark_dirty(read_only), read_only | bit(56));
}

TEST(ArmLpaeS2, StartsAtLevel0OnlyForLargePhysicalAddresses) {
  EXPECT_TRUE(ArmLpaeS2::supports({39, 40}));
  EXPECT_TRUE(ArmLpaeS2::supports({48, 48}));
  EXPECT_TRUE(ArmLpaeS2::supports({40, 44}));
  EXPECT_FALSE(ArmLpaeS2::supports({40, 40}));
  EXPECT_FALSE(ArmLpaeS2::supports({49, 48}));
  EXPECT_FALSE(ArmLpaeS2::supports({39, 41}));
}

TEST(MaliLpae, Leaves) {
  // Leaf, attribute index 1, read and write, outer: the same at every level.
  for (const std::uint32_t height : {0u, 1u, 2u})
    EXPECT_EQ(MaliLpae::leaf({0x12'4000'0000}, Prot::kNone, height), 0x12'4000'02c5u);
  EXPECT_EQ(MaliLpae::leaf({0}, Prot::kUncached, 0), 0x2c1u);
  EXPECT_EQ(MaliLpae::leaf({0}, Prot::kReadOnly, 0), 0x245u);
  EXPECT_EQ(MaliLpae::leaf({0}, Prot::kNoExec, 0), 0x0060'0000'0000'02c5u);
  EXPECT_EQ(MaliLpae::table({0x12'3456'7000}, 3), 0x12'3456'7003u);
}

TEST(MaliLpae, AlwaysHasFourLevels) {
  EXPECT_TRUE(MaliLpae::supports({48, 40}));
  EXPECT_FALSE(MaliLpae::supports({33, 40}));
  EXPECT_TRUE(MaliLpae::supports({33, 40, kPageSize, 4}));
  EXPECT_FALSE(MaliLpae::supports({48, 44}));
}

TEST(X86_64, Leaves) {
  // P, RW, US, A, D; PS for blocks.
  EXPECT_EQ(X86_64::leaf({0x9'1234'5678'9000}, Prot::kNone, 0), 0x9'1234'5678'9067u);
  EXPECT_EQ(X86_64::leaf({0x12'3460'0000}, Prot::kNone, 1), 0x12'3460'00e7u);
  EXPECT_EQ(X86_64::leaf({0x12'4000'0000}, Prot::kNone, 2), 0x12'4000'00e7u);
  EXPECT_EQ(X86_64::leaf({0}, Prot::kReadOnly, 0), 0x25u) << "with D it were a shadow stack";
  EXPECT_EQ(X86_64::leaf({0}, Prot::kUncached, 0), 0x7fu);
  EXPECT_EQ(X86_64::leaf({0}, Prot::kNoExec, 0), bit(63) | 0x67);
  EXPECT_EQ(X86_64::leaf({0}, kAll, 1), bit(63) | 0xbd);
  EXPECT_EQ(X86_64::table({0x9'1234'5678'9000}, 4), 0x9'1234'5678'9027u);
}

TEST(X86_64, ThePatBitIsNoAddress) {
  const std::uint64_t block = X86_64::leaf({0x12'3460'0000}, Prot::kNone, 1) | bit(12);
  EXPECT_EQ(X86_64::address(block, 1).value, 0x12'3460'0000u);
  const std::uint64_t page = X86_64::leaf({0x12'3456'7000}, Prot::kNone, 0) | bit(7);
  EXPECT_EQ(X86_64::address(page, 0).value, 0x12'3456'7000u);
  EXPECT_EQ(X86_64::kind(page, 0), EntryKind::kLeaf);
}

TEST(X86_64, DirtyStateIsBit6OfWhatCanBeWritten) {
  const std::uint64_t clean = X86_64::clean(X86_64::leaf({0}, Prot::kNone, 1));
  EXPECT_EQ(clean, 0xa7u);
  EXPECT_FALSE(X86_64::is_dirty(clean));
  EXPECT_TRUE(X86_64::is_dirty(clean | bit(6)));
  EXPECT_EQ(X86_64::mark_dirty(clean), 0xe7u);
  // Of a leaf without W, bit 52.
  const std::uint64_t read_only = X86_64::clean(X86_64::leaf({0}, Prot::kReadOnly, 0));
  EXPECT_EQ(X86_64::mark_dirty(read_only), bit(52) | 0x25);
  EXPECT_TRUE(X86_64::is_dirty(bit(52) | 0x25));
}

TEST(X86_64, HasTwoSizes) {
  EXPECT_TRUE(X86_64::supports({48, 52}));
  EXPECT_TRUE(X86_64::supports({57, 52}));
  EXPECT_FALSE(X86_64::supports({39, 40}));
  EXPECT_FALSE(X86_64::supports({48, 53}));
}

TEST(AmdV1, Leaves) {
  // PR, next level 0, FC, IR, IW.
  for (const std::uint32_t height : {0u, 1u, 2u})
    EXPECT_EQ(AmdV1::leaf({0x9'1234'4000'0000}, Prot::kNone, height),
              0x7000'0000'0000'0001u | 0x9'1234'4000'0000u);
  EXPECT_EQ(AmdV1::leaf({0}, Prot::kReadOnly, 0), bit(61) | bit(60) | 1);
  EXPECT_EQ(AmdV1::leaf({0}, Prot::kUncached, 0), bit(62) | bit(61) | 1);
  EXPECT_EQ(AmdV1::leaf({0}, Prot::kNoExec, 0), AmdV1::leaf({0}, Prot::kNone, 0));
}

TEST(AmdV1, TablesSayTheirLevel) {
  EXPECT_EQ(AmdV1::table({0x12'3456'7000}, 1), 0x6000'0000'0000'0201u | 0x12'3456'7000u);
  EXPECT_EQ(AmdV1::table({0}, 5), 0x6000'0000'0000'0a01u);
  EXPECT_EQ(AmdV1::page_mode({48, 52}), 4u);
  EXPECT_EQ(AmdV1::page_mode({64, 52}), 6u);
  EXPECT_EQ(AmdV1::page_mode({39, 52}), 3u);
}

TEST(AmdV1, DirtyStateIsBit6) {
  const std::uint64_t clean = AmdV1::clean(AmdV1::leaf({0}, Prot::kNone, 0));
  EXPECT_EQ(clean, AmdV1::leaf({0}, Prot::kNone, 0));
  EXPECT_FALSE(AmdV1::is_dirty(clean));
  EXPECT_TRUE(AmdV1::is_dirty(clean | bit(6)));
  EXPECT_EQ(AmdV1::mark_dirty(clean), clean | bit(6));
}

TEST(VtdSecondStage, Leaves) {
  // R, W, A, D, SNP; PS for blocks.
  EXPECT_EQ(VtdSecondStage::leaf({0x9'1234'5678'9000}, Prot::kNone, 0), 0x9'1234'5678'9b03u);
  EXPECT_EQ(VtdSecondStage::leaf({0x12'3460'0000}, Prot::kNone, 1), 0x12'3460'0b83u);
  EXPECT_EQ(VtdSecondStage::leaf({0x12'4000'0000}, Prot::kNone, 2), 0x12'4000'0b83u);
  EXPECT_EQ(VtdSecondStage::leaf({0}, Prot::kReadOnly, 0), 0xb01u);
  EXPECT_EQ(VtdSecondStage::leaf({0}, Prot::kUncached, 0), 0x303u);
  EXPECT_EQ(VtdSecondStage::leaf({0}, Prot::kNoExec, 0), 0xb03u);
  EXPECT_EQ(VtdSecondStage::table({0x9'1234'5678'9000}, 3), 0x9'1234'5678'9103u);
}

TEST(VtdSecondStage, HasThreeSizes) {
  for (const std::uint32_t bits : {39u, 48u, 57u})
    EXPECT_TRUE(VtdSecondStage::supports({bits, 52})) << bits;
  EXPECT_FALSE(VtdSecondStage::supports({30, 52}));
  EXPECT_FALSE(VtdSecondStage::supports({48, 53}));
}

TEST(RiscV, Leaves) {
  // V, R, W, X, U, A, D; the address two bits lower; PBMT in 62:61.
  EXPECT_EQ(RiscV::leaf({0x8000'0000}, Prot::kNone, 0), 0x2000'00dfu);
  EXPECT_EQ(RiscV::leaf({0xff'ffff'ffff'f000}, Prot::kNone, 0), 0x003f'ffff'ffff'fcdfu);
  EXPECT_EQ(RiscV::leaf({0x12'4000'0000}, Prot::kNone, 2), 0x4'9000'00dfu);
  EXPECT_EQ(RiscV::leaf({0}, Prot::kReadOnly, 0), 0xdbu);
  EXPECT_EQ(RiscV::leaf({0}, Prot::kNoExec, 1), 0xd7u);
  EXPECT_EQ(RiscV::leaf({0}, Prot::kUncached, 0), bit(61) | 0xdf);
  EXPECT_EQ(RiscV::table({0x8000'1000}, 1), 0x2000'0401u);
}

TEST(RiscV, HasThreeSizes) {
  for (const std::uint32_t bits : {39u, 48u, 57u}) EXPECT_TRUE(RiscV::supports({bits, 56})) << bits;
  EXPECT_FALSE(RiscV::supports({32, 34}));
  EXPECT_FALSE(RiscV::supports({48, 57}));
}

// What RadixTable relies on, in every format and at every height.
template <class F>
class TableFormatRules : public ::testing::Test {};
using Formats =
    ::testing::Types<ArmLpaeS1, ArmLpaeS2, MaliLpae, X86_64, AmdV1, VtdSecondStage, RiscV>;
TYPED_TEST_SUITE(TableFormatRules, Formats);

TYPED_TEST(TableFormatRules, EntriesReadBackAsWhatTheyAre) {
  using F = TypeParam;
  for (std::uint32_t height = 0; height <= 2; ++height) {
    const PhysAddr frame{0xa5 * (kPageSize << 9 * height)};
    for (std::uint32_t number = 0; number < 8; ++number) {
      const Prot prot = static_cast<Prot>(number);
      const std::uint64_t leaf = F::leaf(frame, prot, height);
      ASSERT_EQ(F::kind(leaf, height), EntryKind::kLeaf);
      ASSERT_EQ(F::address(leaf, height), frame);
      const Prot kept = std::is_same_v<F, AmdV1> || std::is_same_v<F, VtdSecondStage>
                            ? prot & (Prot::kReadOnly | Prot::kUncached)
                            : prot;
      ASSERT_EQ(F::prot(leaf), kept);
      const PhysAddr next = frame + (kPageSize << 9 * height);
      ASSERT_EQ(leaf + F::leaf_step(height), F::leaf(next, prot, height));
    }
  }
  for (std::uint32_t height = 1; height <= 3; ++height) {
    const std::uint64_t table = F::table({0xa5'5000}, height);
    EXPECT_EQ(F::kind(table, height), EntryKind::kTable);
    EXPECT_EQ(F::address(table, height), PhysAddr{0xa5'5000});
  }
  for (std::uint32_t height = 0; height <= 3; ++height)
    EXPECT_EQ(F::kind(0, height), EntryKind::kAbsent);
}

TYPED_TEST(TableFormatRules, DirtyStateChangesNothingElse) {
  using F = TypeParam;
  if constexpr (DirtyFormat<F>) {
    for (std::uint32_t height = 0; height <= 2; ++height) {
      for (std::uint32_t number = 0; number < 8; ++number) {
        const std::uint64_t leaf =
            F::leaf({0xa5 * (kPageSize << 9 * height)}, static_cast<Prot>(number), height);
        const std::uint64_t clean = F::clean(leaf);
        const std::uint64_t dirty = F::mark_dirty(clean);
        EXPECT_FALSE(F::is_dirty(clean));
        EXPECT_TRUE(F::is_dirty(dirty));
        EXPECT_EQ(F::clean(dirty), clean);
        for (const std::uint64_t entry : {clean, dirty}) {
          EXPECT_EQ(F::prot(entry), F::prot(leaf));
          EXPECT_EQ(F::address(entry, height), F::address(leaf, height));
          EXPECT_EQ(F::kind(entry, height), EntryKind::kLeaf);
        }
      }
    }
  }
}

}  // namespace
}  // namespace pantry::driver
