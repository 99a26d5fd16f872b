// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/register_map.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>

#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/datasheet/doorbell.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/datasheet/mmu_int.h"
#include "gpu_emu/datasheet/user_page.h"

namespace pantry::datasheet {
namespace {

void expect_disjoint(std::span<const Register> block) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < block.size(); ++i) {
    EXPECT_EQ(block[i].offset % block[i].bytes, 0u) << block[i].name;
    EXPECT_TRUE(names.insert(block[i].name).second) << block[i].name << " is used twice";
    if (i > 0) {
      EXPECT_LE(block[i - 1].offset + block[i - 1].bytes, block[i].offset)
          << block[i - 1].name << " overlaps " << block[i].name;
    }
  }
}

TEST(RegisterMap, NoTwoRegistersShareAWord) {
  expect_disjoint(fixed_registers());
  expect_disjoint(address_space_registers());
  EXPECT_LE(address_space_registers().back().offset + 8, address_space::kBlockBytes);
}

TEST(RegisterMap, EveryFixedRegisterIsFoundAtItsPlace) {
  for (const Register& reg : fixed_registers()) {
    const auto low = find_register(reg.offset);
    ASSERT_TRUE(low) << reg.name;
    EXPECT_STREQ(low->reg->name, reg.name);
    EXPECT_FALSE(low->is_high_half);
    if (reg.bytes != 8) continue;
    const auto high = find_register(reg.offset + 4);
    ASSERT_TRUE(high) << reg.name;
    EXPECT_STREQ(high->reg->name, reg.name);
    EXPECT_TRUE(high->is_high_half);
  }
}

// Offsets written out, as Linux's panthor_regs.h and the recorded traces have them.
TEST(RegisterMap, KnownOffsets) {
  using namespace gpu_control;
  EXPECT_EQ(kGpuId, 0x0u);
  EXPECT_EQ(kIrqStatus, 0x2cu);
  EXPECT_EQ(kCommand, 0x30u);
  EXPECT_EQ(kFaultAddress, 0x40u);
  EXPECT_EQ(kTimestampOffset, 0x88u);
  EXPECT_EQ(kTextureFeatures3, 0xbcu);
  EXPECT_EQ(kShaderPresent, 0x100u);
  EXPECT_EQ(kL2PwrOn, 0x1a0u);
  EXPECT_EQ(kL2PwrTrans, 0x220u);
  EXPECT_EQ(kRevId, 0x280u);
  EXPECT_EQ(kCoherencyProtocol, 0x304u);
  EXPECT_EQ(kMcuControl, 0x700u);
  EXPECT_EQ(kMcuStatus, 0x704u);
  EXPECT_EQ(job_int::kMask, 0x1008u);
  EXPECT_EQ(mmu_int::kClear, 0x2004u);
  EXPECT_EQ(user_page::kLatestFlush, 0x10000u);
}

TEST(RegisterMap, AddressSpaceBlocks) {
  EXPECT_EQ(address_space::offset_of(0, address_space::kTranstab), 0x2400u);
  EXPECT_EQ(address_space::offset_of(1, address_space::kStatus), 0x2468u);
  EXPECT_EQ(address_space::offset_of(15, address_space::kFaultExtra), 0x27f8u);

  const auto command = find_register(0x2458);
  ASSERT_TRUE(command);
  EXPECT_STREQ(command->reg->name, "AS_COMMAND");
  EXPECT_EQ(command->index, 1u);
  EXPECT_EQ(command->reg->access, RegisterAccess::kWriteOnly);

  const auto transcfg_hi = find_register(0x2400 + 0x40 * 7 + 0x34);
  ASSERT_TRUE(transcfg_hi);
  EXPECT_STREQ(transcfg_hi->reg->name, "AS_TRANSCFG");
  EXPECT_EQ(transcfg_hi->index, 7u);
  EXPECT_TRUE(transcfg_hi->is_high_half);

  EXPECT_FALSE(find_register(0x242c)) << "the hole after AS_STATUS";
  EXPECT_FALSE(find_register(0x2800)) << "beyond the sixteenth block";
}

TEST(RegisterMap, Doorbells) {
  EXPECT_EQ(doorbell::offset_of(0), 0x80000u);
  EXPECT_EQ(doorbell::offset_of(9), 0x110000u);
  EXPECT_EQ(doorbell::kMaxPages, 24u);
  const auto bell = find_register(0x110000);
  ASSERT_TRUE(bell);
  EXPECT_EQ(bell->index, 9u);
  EXPECT_FALSE(find_register(0x110004));
  EXPECT_TRUE(find_register(doorbell::offset_of(23)));
  EXPECT_FALSE(find_register(kApertureBytes));
}

TEST(RegisterMap, ArraysAndHoles) {
  const auto sysc = find_register(0x35c);
  ASSERT_TRUE(sysc);
  EXPECT_STREQ(sysc->reg->name, "SYSC_ALLOC");
  EXPECT_EQ(sysc->index, 7u);
  EXPECT_FALSE(find_register(0x360));
  EXPECT_FALSE(find_register(0x038));
  EXPECT_FALSE(find_register(0x3000)) << "GPU_CONTROL as the MCU sees it is not modelled";
}

}  // namespace
}  // namespace pantry::datasheet
