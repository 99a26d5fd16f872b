// SPDX-License-Identifier: MIT
#include "gpu_emu/mmu/gpu_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

namespace pantry::emu {
namespace {

// Sixteen pages at 0; each may stall, abort, or end its leaf early.
class ScriptedMemory final : public GpuMemory {
 public:
  static constexpr std::uint64_t kPages = 20;

  ScriptedMemory() : bytes(kPages * kPageSize / 8) {}
  Translation translate(AsIndex, GpuVa va, Access access) override {
    asked.push_back({va.value, access});
    const std::uint64_t page = va.value / kPageSize;
    if (page >= kPages) return {};
    if (const auto found = scripted.find(page); found != scripted.end())
      return {found->second, nullptr, 0};
    return {MemoryStatus::kOk, host() + va.value, kPageSize - va.value % kPageSize};
  }
  std::uint8_t* host() { return reinterpret_cast<std::uint8_t*>(bytes.data()); }

  std::vector<std::uint64_t> bytes;
  std::map<std::uint64_t, MemoryStatus> scripted;
  std::vector<std::pair<std::uint64_t, Access>> asked;
};

TEST(GpuMemory, WordsInBothSizes) {
  ScriptedMemory memory;
  ASSERT_EQ(memory.store<std::uint64_t>({1}, {0x1008}, 0x1122'3344'5566'7788), MemoryStatus::kOk);
  std::uint32_t high = 0;
  ASSERT_EQ(memory.load<std::uint32_t>({1}, {0x100c}, high), MemoryStatus::kOk);
  EXPECT_EQ(high, 0x1122'3344u);
  std::uint64_t sum = 0;
  ASSERT_EQ(memory.add<std::uint64_t>({1}, {0x1008}, ~std::uint64_t{0}, sum), MemoryStatus::kOk);
  EXPECT_EQ(sum, 0x1122'3344'5566'7787u);
  EXPECT_EQ(memory.bytes[0x1008 / 8], sum);
  EXPECT_EQ(memory.asked,
            (std::vector<std::pair<std::uint64_t, Access>>{
                {0x1008, Access::kWrite}, {0x100c, Access::kRead}, {0x1008, Access::kAtomic}}));
}

TEST(GpuMemory, NothingChangesUnlessTheWordIsReached) {
  ScriptedMemory memory;
  memory.scripted = {{1, MemoryStatus::kStall}, {2, MemoryStatus::kAborted}};
  std::uint32_t value = 7;
  EXPECT_EQ(memory.load({0}, {0x1000}, value), MemoryStatus::kStall);
  EXPECT_EQ(memory.add<std::uint32_t>({0}, {0x2000}, 1, value), MemoryStatus::kAborted);
  EXPECT_EQ(memory.store<std::uint32_t>({0}, {0x2000}, 1), MemoryStatus::kAborted);
  EXPECT_EQ(value, 7u);
  EXPECT_TRUE(std::ranges::all_of(memory.bytes, [](std::uint64_t word) { return word == 0; }));
}

TEST(GpuMemoryDeathTest, WordsAreAligned) {
  ScriptedMemory memory;
  std::uint64_t value = 0;
  EXPECT_DEATH(memory.load({0}, {0x1004}, value), "is_aligned");
}

TEST(GpuMemory, ProbeAsksForEveryPageAndTheFirstBadOneDecides) {
  ScriptedMemory memory;
  EXPECT_EQ(memory.probe({0}, {0xffc}, 8, Access::kWrite), MemoryStatus::kOk);
  EXPECT_EQ(memory.asked, (std::vector<std::pair<std::uint64_t, Access>>{
                              {0xffc, Access::kWrite}, {0x1000, Access::kWrite}}));
  memory.scripted = {{2, MemoryStatus::kStall}, {3, MemoryStatus::kAborted}};
  EXPECT_EQ(memory.probe({0}, {0}, 0x4000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(memory.probe({0}, {0x3fff}, 1, Access::kRead), MemoryStatus::kAborted);
  EXPECT_EQ(memory.probe({0}, {0x1000}, 0x1000, Access::kRead), MemoryStatus::kOk)
      << "ends before the bad page";
}

TEST(GpuMemory, RangesOfAnyAlignmentGoAcrossPages) {
  ScriptedMemory memory;
  std::vector<std::byte> data(0x2345);
  for (std::size_t n = 0; n < data.size(); ++n) data[n] = static_cast<std::byte>(n * 7 + 1);
  for (const std::uint64_t va : {0xffdu, 0x1000u, 0x1004u, 0xfffu}) {
    ScriptedMemory fresh;
    ASSERT_EQ(fresh.write({0}, {va}, data), MemoryStatus::kOk);
    EXPECT_EQ(fresh.host()[va - 1], 0);
    EXPECT_EQ(fresh.host()[va + data.size()], 0);
    std::vector<std::byte> back(data.size());
    ASSERT_EQ(fresh.read({0}, {va}, back, Access::kRead), MemoryStatus::kOk);
    EXPECT_EQ(back, data);
    EXPECT_TRUE(
        std::equal(data.begin(), data.end(), reinterpret_cast<std::byte*>(fresh.host() + va)));
  }
}

TEST(GpuMemory, ARangeIsWholeOrNotAtAll) {
  ScriptedMemory memory;
  memory.scripted = {{2, MemoryStatus::kStall}};
  const std::vector<std::byte> data(0x1800, std::byte{0xaa});
  EXPECT_EQ(memory.write({0}, {0x1000}, data), MemoryStatus::kStall);
  EXPECT_TRUE(std::ranges::all_of(memory.bytes, [](std::uint64_t word) { return word == 0; }));
  std::vector<std::byte> into(0x1800, std::byte{0x55});
  EXPECT_EQ(memory.read({0}, {0x1000}, into, Access::kRead), MemoryStatus::kStall);
  EXPECT_TRUE(std::ranges::all_of(into, [](std::byte byte) { return byte == std::byte{0x55}; }));
}

TEST(GpuMemory, TheLargestRangeTouchesSeventeenPages) {
  ScriptedMemory memory;
  std::vector<std::byte> data(GpuMemory::kMaxRangeBytes, std::byte{1});
  EXPECT_EQ(memory.write({0}, {0x801}, data), MemoryStatus::kOk);
  EXPECT_EQ(memory.asked.size(), 17u);
  EXPECT_EQ(memory.host()[0x800], 0);
  EXPECT_EQ(memory.host()[0x801 + data.size() - 1], 1);
  EXPECT_EQ(memory.write({0}, {0}, {}), MemoryStatus::kOk);
}

}  // namespace
}  // namespace pantry::emu
