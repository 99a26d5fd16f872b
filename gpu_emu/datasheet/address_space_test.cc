// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/address_space.h"

#include <gtest/gtest.h>

#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/datasheet/mmu_int.h"

namespace pantry::datasheet::address_space {
namespace {

std::uint64_t transcfg(std::uint32_t va_bits, WalkShareability shareability) {
  std::uint64_t word = 0;
  word = Transcfg::Mode::set(word, AddressMode::kAarch64_4k);
  word = Transcfg::InaBits::set(word, kInaBitsBase - va_bits);
  word = Transcfg::PtwMemattr::set(word, WalkAttribute::kWriteBack);
  word = Transcfg::PtwReadAllocate::set(word, true);
  return Transcfg::PtwShareability::set(word, shareability);
}

TEST(AddressSpace, TranscfgGoldenWords) {
  EXPECT_EQ(transcfg(48, WalkShareability::kNone), 0x4200'01c6u);
  EXPECT_EQ(transcfg(48, WalkShareability::kOuter), 0x6200'01c6u);
  EXPECT_EQ(transcfg(39, WalkShareability::kNone), 0x4200'0406u);
  EXPECT_EQ(transcfg(33, WalkShareability::kNone), 0x4200'0586u);
  EXPECT_EQ(Transcfg::Mode::of(AddressMode::kUnmapped), 1u);
  EXPECT_EQ(Transcfg::XReadable::kMask, 0x10'0000'0000u);
}

std::uint8_t attribute(MemoryClass memory_class, MemorySharing sharing, bool allocate) {
  return static_cast<std::uint8_t>(
      MemoryAttribute::Class::of(memory_class) | MemoryAttribute::Sharing::of(sharing) |
      MemoryAttribute::Allocation::of(MemoryAllocation::kExplicit) |
      MemoryAttribute::ReadAllocate::of(allocate) | MemoryAttribute::WriteAllocate::of(allocate));
}

// The two words that Linux drivers write: every byte is one of these three.
TEST(AddressSpace, MemattrGoldenWords) {
  const std::uint8_t uncached =
      attribute(MemoryClass::kNonCacheable, MemorySharing::kMaliInner, false);
  const std::uint8_t coherent = attribute(MemoryClass::kWriteBack, MemorySharing::kCpuInner, true);
  const std::uint8_t internal = attribute(MemoryClass::kWriteBack, MemorySharing::kMaliInner, true);
  EXPECT_EQ(uncached, 0x4c);
  EXPECT_EQ(coherent, 0x9f);
  EXPECT_EQ(internal, 0x8f);

  const std::uint64_t linux_coherent = 0x9f9f'9f9f'9c4c'9f4c;
  EXPECT_EQ(memattr_byte(linux_coherent, 0), uncached);
  EXPECT_EQ(memattr_byte(linux_coherent, 1), coherent);
  EXPECT_EQ(memattr_byte(linux_coherent, 2), uncached);
  EXPECT_EQ(memattr_byte(linux_coherent, 3),
            attribute(MemoryClass::kWriteBack, MemorySharing::kCpuInner, false));
  EXPECT_EQ(memattr_byte(linux_coherent, 7), coherent);
  EXPECT_EQ(memattr_byte(0x8f8f'8f8f'8c4c'8f4c, 1), internal);
  EXPECT_EQ(memattr_byte(0x8f8f'8f8f'8c4c'8f4c, 3), 0x8c);
}

TEST(AddressSpace, FaultStatusFields) {
  const std::uint32_t word = 0x00ab'07ca;
  EXPECT_EQ(FaultStatus::Type::get(word), Exception::kPermissionFault2);
  EXPECT_EQ(FaultStatus::Access::get(word), AccessType::kWrite);
  EXPECT_TRUE(FaultStatus::Decoder::get(word));
  EXPECT_EQ(FaultStatus::SourceId::get(word), 0xabu);
}

TEST(AddressSpace, LegacyRootTable) {
  EXPECT_EQ(LegacyTranstab::Mode::of(3) | LegacyTranstab::ReadInner::of(true) |
                LegacyTranstab::ShareOuter::of(true),
            0x17u);
}

TEST(AddressSpace, InterruptBits) {
  EXPECT_EQ(mmu_int::PageFaults::kMask, 0xffffu);
  EXPECT_EQ(mmu_int::CompletedCommands::kMask, 0xffff'0000u);
  EXPECT_EQ(job_int::Global::kMask, 0x8000'0000u);
  EXPECT_EQ(job_int::Groups::kMask | job_int::Global::kMask, 0xffff'ffffu);
}

}  // namespace
}  // namespace pantry::datasheet::address_space
