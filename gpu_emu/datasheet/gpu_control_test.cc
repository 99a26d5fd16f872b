// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/gpu_control.h"

#include <gtest/gtest.h>

#include "gpu_emu/datasheet/model.h"

namespace pantry::datasheet::gpu_control {
namespace {

constexpr std::uint32_t flush(CacheFlush l2, CacheFlush load_store, CacheFlush other) {
  return Command::Type::of(CommandType::kFlushCaches) | CommandFlush::L2::of(l2) |
         CommandFlush::LoadStore::of(load_store) | CommandFlush::Other::of(other);
}

TEST(GpuControl, CommandWordsThatLinuxWrites) {
  EXPECT_EQ(Command::Type::of(CommandType::kReset) | CommandReset::Mode::of(ResetMode::kSoft),
            0x101u);
  EXPECT_EQ(Command::Type::of(CommandType::kReset) | CommandReset::Mode::of(ResetMode::kHard),
            0x201u);
  EXPECT_EQ(flush(CacheFlush::kClean, CacheFlush::kClean, CacheFlush::kNone), 0x1104u);
  EXPECT_EQ(
      flush(CacheFlush::kCleanInvalidate, CacheFlush::kCleanInvalidate, CacheFlush::kInvalidate),
      0x23304u);
  EXPECT_EQ(Command::Payload::get(0x23304), 0x233u);
  EXPECT_EQ(Command::Type::of(CommandType::kTime) | CommandTime::Counter::of(CycleCounter::kEnable),
            0x103u);
}

TEST(GpuControl, InterruptsThatLinuxUnmasks) {
  EXPECT_EQ(GpuIrq::Fault::kMask | GpuIrq::ProtectedFault::kMask | GpuIrq::ResetCompleted::kMask |
                GpuIrq::CleanCachesCompleted::kMask,
            0x20103u);
}

TEST(GpuControl, FaultStatusFields) {
  const std::uint32_t word = 0x0012'0780 | 0x3000;
  EXPECT_EQ(FaultStatus::Type::get(word), Exception::kGpuBusFault);
  EXPECT_EQ(FaultStatus::Access::get(word), AccessType::kWrite);
  EXPECT_TRUE(FaultStatus::AddressValid::get(word));
  EXPECT_FALSE(FaultStatus::JasidValid::get(word));
  EXPECT_EQ(FaultStatus::Jasid::get(word), 3u);
  EXPECT_EQ(FaultStatus::SourceId::get(word), 0x12u);
}

// What clients conclude from the identity of a G610.
TEST(GpuControl, TheG610IsWhatItSays) {
  constexpr const GpuModel& g610 = kMaliG610;
  EXPECT_EQ(GpuId::ArchMajor::get(g610.gpu_id), 10u);
  EXPECT_EQ(GpuId::ArchMinor::get(g610.gpu_id), 8u);
  EXPECT_EQ(GpuId::ArchRevision::get(g610.gpu_id), 6u);
  EXPECT_EQ(GpuId::ProductMajor::get(g610.gpu_id), 7u);
  EXPECT_EQ(GpuId::VersionStatus::get(g610.gpu_id), 5u);
  EXPECT_EQ(g610.gpu_id >> 16, 0xa867u);
  EXPECT_EQ(L2Features::LineLog2::get(g610.l2_features), 6u);
  EXPECT_EQ(TilerFeatures::BinSizeLog2::get(g610.tiler_features), 9u);
  EXPECT_EQ(TilerFeatures::MaxLevels::get(g610.tiler_features), 8u);
  EXPECT_TRUE(MemFeatures::CoherentCoreGroup::get(g610.mem_features));
  EXPECT_EQ(MemFeatures::L2SlicesMinus1::get(g610.mem_features), 3u);
  EXPECT_EQ(MmuFeatures::VaBits::get(g610.mmu_features), 48u);
  EXPECT_EQ(MmuFeatures::PaBits::get(g610.mmu_features), 40u);
  EXPECT_EQ(ThreadFeatures::Registers::get(g610.thread_features), 65536u);
  EXPECT_EQ(ThreadFeatures::TaskQueueDepth::get(g610.thread_features), 4u);
  EXPECT_EQ(CsfId::HwMajor::get(g610.csf_id), 1u);
  EXPECT_EQ(CsfId::HwRevision::get(g610.csf_id), 10u);
  EXPECT_EQ(CsfId::McuMajor::get(g610.csf_id), 1u);
  EXPECT_EQ(CsfId::McuMinor::get(g610.csf_id), 1u);
  EXPECT_EQ(CsfId::McuRevision::get(g610.csf_id), 2u);
}

}  // namespace
}  // namespace pantry::datasheet::gpu_control
