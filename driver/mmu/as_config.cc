// SPDX-License-Identifier: MIT
#include "driver/mmu/as_config.h"

#include "gpu_emu/datasheet/address_space.h"

namespace pantry::driver {
namespace {

namespace regs = datasheet::address_space;

// The Arm memory attributes by index that the page table is written for: uncached, write-back
// (allocating on read and write), device, inner uncached with outer write-back. The other four are
// 0xff because Linux computes the word from a negative int, whose sign fills them.
constexpr std::uint64_t kMair = 0xffff'ffff'f404'ff44;

// One byte of it as Mali's own attribute: 0xff -> 0x9f, 0xf4 -> 0x9c, 0x44 and 0x04 -> 0x4c.
constexpr std::uint64_t mali_attribute(std::uint8_t mair) {
  using Attribute = regs::MemoryAttribute;
  const unsigned outer = mair >> 4;
  const unsigned inner = mair & 0xf;
  // Bit 2 of a half: write-back. With the outer bits 1:0 all zero the byte is a device type.
  const bool write_back = (outer & 4) != 0 && (inner & 4) != 0 && (outer & 3) != 0;
  if (!write_back)
    return Attribute::Class::of(regs::MemoryClass::kNonCacheable) |
           Attribute::Sharing::of(regs::MemorySharing::kMaliInner) |
           Attribute::Allocation::of(regs::MemoryAllocation::kExplicit);
  return Attribute::Class::of(regs::MemoryClass::kWriteBack) |
         Attribute::Sharing::of(regs::MemorySharing::kCpuInner) |
         Attribute::Allocation::of(regs::MemoryAllocation::kExplicit) |
         Attribute::ReadAllocate::of((inner & 2) != 0) |
         Attribute::WriteAllocate::of((inner & 1) != 0);
}

constexpr std::uint64_t memattr() {
  std::uint64_t word = 0;
  for (unsigned index = 0; index < 8; ++index)
    word |= mali_attribute(static_cast<std::uint8_t>(kMair >> (8 * index))) << (8 * index);
  return word;
}
// What Linux 6.12 writes, whatever the coherency.
static_assert(memattr() == 0x9f9f'9f9f'9c4c'9f4c);

constexpr std::uint64_t transcfg(std::uint32_t va_bits, Coherency coherency) {
  using Transcfg = regs::Transcfg;
  return Transcfg::Mode::of(regs::AddressMode::kAarch64_4k) |
         Transcfg::InaBits::of(regs::kInaBitsBase - va_bits) |
         Transcfg::PtwMemattr::of(regs::WalkAttribute::kWriteBack) |
         Transcfg::PtwReadAllocate::of(true) |
         Transcfg::PtwShareability::of(coherency == Coherency::kIo ? regs::WalkShareability::kOuter
                                                                   : regs::WalkShareability::kNone);
}
static_assert(transcfg(48, Coherency::kNone) == 0x4200'01c6);
static_assert(transcfg(48, Coherency::kIo) == 0x6200'01c6);
static_assert(transcfg(39, Coherency::kNone) == 0x4200'0406);
static_assert(transcfg(33, Coherency::kNone) == 0x4200'0586);

// Index 0 and 2 as the implementation likes, 1 write-allocate; the rest is not used.
constexpr std::uint64_t kLegacyMemattr = 0x88'8d'88;

}  // namespace

AsConfig make_as_config(PhysAddr root, std::uint32_t va_bits, Coherency coherency) {
  return {root, memattr(), transcfg(va_bits, coherency)};
}

AsConfig make_legacy_as_config(PhysAddr root) {
  using Transtab = regs::LegacyTranstab;
  constexpr std::uint64_t kTable = 3;
  return {{root.value | Transtab::Mode::of(kTable) | Transtab::ReadInner::of(true)},
          kLegacyMemattr,
          regs::Transcfg::Mode::of(regs::AddressMode::kLegacy)};
}

}  // namespace pantry::driver
