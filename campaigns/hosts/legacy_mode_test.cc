// SPDX-License-Identifier: MIT
//
// A Midgard or Bifrost driver's side of the MMU, end to end: the driver's Mali LPAE table under the
// driver's register sequences, and the device's MMU in its legacy mode on the other side. What the
// device reaches is what a map of pages says.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "campaigns/hosts/inline_executor.h"
#include "driver/iopgtable/accounting_allocator.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/mali_lpae_table.h"
#include "driver/mmu/as_registers.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::campaigns {
namespace {

using driver::Prot;
using emu::Access;
using emu::MemoryStatus;
using emu::SparseMemory;
namespace fault = datasheet::address_space;

constexpr std::uint32_t kAs = 2;
constexpr emu::AsIndex kAsIndex{kAs};
constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr std::uint64_t kData = SparseMemory::kBase + kGiB;  // the frames behind the mappings
constexpr std::uint64_t kTableBytes = 4 * kMiB;

GpuRange range(std::uint64_t first, std::uint64_t size) { return GpuRange::of_size({first}, size); }

// The registers of the rig as a driver's.
class Registers final : public emu::Mmio {
 public:
  explicit Registers(emu::RegisterFile& file) : file_(file) {}
  std::uint32_t read32(std::uint32_t offset) override { return file_.read(offset); }
  void write32(std::uint32_t offset, std::uint32_t value) override { file_.write(offset, value); }

 private:
  emu::RegisterFile& file_;
};

class NoReset final : public driver::ResetRequest {
 public:
  void request_reset(const char* why) noexcept override { ADD_FAILURE() << why; }
};

class LegacyMode : public ::testing::Test {
 protected:
  using Outcome = driver::AsRegisters::Outcome;

  LegacyMode() {
    auto made = driver::MaliLpaeTable::create({.va_bits = 48, .pa_bits = 40, .min_levels = 4},
                                              metadata_, pages_);
    if (!made) std::abort();
    table_.emplace(*std::move(made));
    enable();
  }
  ~LegacyMode() override {
    EXPECT_EQ(registers_.disable(kAs), Outcome::kDone);
    table_->destroy(pages_);
    EXPECT_EQ(pages_.outstanding(), 0u);
    EXPECT_EQ(rig_.mmu.counters().mistakes, 0u);
  }

  void enable() {
    EXPECT_EQ(registers_.enable(kAs, driver::make_legacy_as_config(table_->root())),
              Outcome::kDone);
  }
  // Every edit is one: locked, done, flushed.
  template <class Edit>
  void edit(GpuRange where, Edit edit) {
    ASSERT_EQ(registers_.lock(kAs, table_->footprint(where)), Outcome::kDone);
    edit();
    ASSERT_EQ(registers_.unlock(kAs), Outcome::kDone);
    arena_.after_flush();
  }
  void map(GpuRange where, std::uint64_t frame, Prot prot) {
    edit(where, [&] {
      const std::array<PhysExtent, 1> extents{{{{frame}, where.size()}}};
      const driver::MapProgress progress =
          table_->map(where, driver::ExtentCursor(extents, 0), prot, pages_);
      EXPECT_FALSE(progress.error);
      EXPECT_EQ(progress.mapped, where.size());
    });
  }
  void unmap(GpuRange where) {
    edit(where, [&] { EXPECT_TRUE(table_->unmap(where, pages_)); });
  }
  void protect(GpuRange where, Prot prot) {
    edit(where, [&] { EXPECT_TRUE(table_->protect(where, prot, pages_)); });
  }

  MemoryStatus access(std::uint64_t va, Access access) { return rig_.access(kAs, va, access); }
  // The access faults, and the latch says where and how; the driver answers as it does for a VM
  // that is to go on. Of a missing translation `type` says at which level, 0 being the root's.
  void expect_fault(std::uint64_t va, Access access, datasheet::Exception type) {
    EXPECT_EQ(this->access(va, access), MemoryStatus::kStall);
    EXPECT_EQ(registers_.pending_faults(), 1u << kAs);
    const driver::MmuFault seen = registers_.read_fault(kAs);
    EXPECT_EQ(seen.address.value, va);
    EXPECT_EQ(fault::FaultStatus::Type::get(seen.status), type);
    EXPECT_EQ(fault::FaultStatus::Access::get(seen.status), access);
    registers_.clear_faults(1u << kAs);
    EXPECT_EQ(registers_.disable(kAs), Outcome::kDone);
    enable();
  }

  emu::MmuRig rig_{emu::Quirks{}};
  Registers mmio_{rig_.file};
  InlineExecutor executor_;
  NoReset no_reset_;
  driver::AsRegisters registers_{mmio_, executor_.clock(), no_reset_};
  driver::ArenaTableAllocator arena_{{{SparseMemory::kBase}, kTableBytes, rig_.memory.dram().host}};
  driver::AccountingAllocator pages_{arena_};
  driver::TableMetadata metadata_{rig_.memory.dram()};
  std::optional<driver::MaliLpaeTable> table_;
};

TEST_F(LegacyMode, ReadsAndWritesGoThroughTheTable) {
  constexpr std::uint64_t kVa = 0x7f12'3456'7000;
  map(range(kVa, 3 * kPageSize), kData, Prot::kNone);
  EXPECT_EQ(rig_.mmu.store<std::uint64_t>(kAsIndex, {kVa + 8}, 0x1122'3344'5566'7788),
            MemoryStatus::kOk);
  EXPECT_EQ(rig_.memory.word(kData + 8), 0x1122'3344'5566'7788u);
  rig_.memory.word(kData + 2 * kPageSize) = 77;
  std::uint64_t value = 0;
  EXPECT_EQ(rig_.mmu.load<std::uint64_t>(kAsIndex, {kVa + 2 * kPageSize}, value),
            MemoryStatus::kOk);
  EXPECT_EQ(value, 77u);
  EXPECT_EQ(access(kVa, Access::kExecute), MemoryStatus::kOk);
  // A block, and its end.
  map(range(kGiB, kBlock), kData + kGiB / 2, Prot::kNone);
  EXPECT_EQ(rig_.reach(kAs, kGiB + kBlock - 8), kData + kGiB / 2 + kBlock - 8);
  EXPECT_EQ(table_->walk({kGiB})->range, range(kGiB, kBlock));
}

TEST_F(LegacyMode, FaultsNameTheAddressAndTheLevel) {
  using datasheet::Exception;
  map(range(kBlock, kPageSize), kData, Prot::kNone);
  expect_fault(kBlock + kPageSize, Access::kRead, Exception::kTranslationFault3);
  expect_fault(0, Access::kWrite, Exception::kTranslationFault2);
  expect_fault(kGiB, Access::kRead, Exception::kTranslationFault1);
  expect_fault(0x7fff'0000'0000, Access::kRead, Exception::kTranslationFault0);
  EXPECT_EQ(rig_.reach(kAs, kBlock), kData) << "the mapping is still there";
}

TEST_F(LegacyMode, UnmapAndProtectTakeEffectAtOnce) {
  using datasheet::Exception;
  map(range(kGiB, kBlock), kData, Prot::kNone);
  EXPECT_EQ(access(kGiB + 5 * kPageSize, Access::kWrite), MemoryStatus::kOk) << "and is cached";
  // In the middle of a block: it is split, the rest stays.
  protect(range(kGiB + 5 * kPageSize, kPageSize), Prot::kReadOnly | Prot::kNoExec);
  EXPECT_EQ(access(kGiB + 5 * kPageSize, Access::kRead), MemoryStatus::kOk);
  expect_fault(kGiB + 5 * kPageSize, Access::kWrite, Exception::kPermissionFault3);
  expect_fault(kGiB + 5 * kPageSize, Access::kExecute, Exception::kPermissionFault3);
  EXPECT_EQ(access(kGiB + 4 * kPageSize, Access::kWrite), MemoryStatus::kOk);
  unmap(range(kGiB + 7 * kPageSize, 2 * kPageSize));
  expect_fault(kGiB + 7 * kPageSize, Access::kRead, Exception::kTranslationFault3);
  EXPECT_EQ(rig_.reach(kAs, kGiB + 9 * kPageSize), kData + 9 * kPageSize);
  unmap(range(kGiB, kBlock));
  expect_fault(kGiB + 9 * kPageSize, Access::kRead, Exception::kTranslationFault0);
  EXPECT_EQ(pages_.outstanding(), 1u) << "the root";
}

// Random edits of 8 MiB; after each, the device sees what a map of pages says.
TEST_F(LegacyMode, TheDeviceSeesWhatTheModelSays) {
  constexpr std::uint64_t kFirst = 3 * kGiB;
  constexpr std::uint64_t kPages = 4 * kBlock / kPageSize;
  struct Page {
    std::uint64_t frame;
    Prot prot;
  };
  std::map<std::uint64_t, Page> model;
  std::mt19937_64 random(20);
  const Prot prots[] = {Prot::kNone, Prot::kReadOnly, Prot::kNoExec, Prot::kUncached,
                        Prot::kReadOnly | Prot::kNoExec};
  for (int step = 0; step < 400; ++step) {
    const std::uint64_t first = random() % 4 == 0 ? random() % 4 * 512 : random() % kPages;
    const std::uint64_t count =
        std::min(random() % 4 == 0 ? std::uint64_t{512} : 1 + random() % 64, kPages - first);
    const GpuRange where = range(kFirst + first * kPageSize, count * kPageSize);
    const Prot prot = prots[random() % std::size(prots)];
    switch (random() % 3) {
      case 0:
        unmap(where);  // a map takes only what is free
        for (std::uint64_t i = 0; i < count; ++i) model.erase(first + i);
        map(where, kData + first * kPageSize, prot);
        for (std::uint64_t i = 0; i < count; ++i)
          model[first + i] = {kData + (first + i) * kPageSize, prot};
        break;
      case 1:
        unmap(where);
        for (std::uint64_t i = 0; i < count; ++i) model.erase(first + i);
        break;
      case 2:
        protect(where, prot);
        for (std::uint64_t i = 0; i < count; ++i)
          if (const auto page = model.find(first + i); page != model.end())
            page->second.prot = prot;
    }
    for (int look = 0; look < 16; ++look) {
      const std::uint64_t page = random() % kPages;
      const std::uint64_t va = kFirst + page * kPageSize + random() % 512 * 8;
      const auto found = model.find(page);
      const Access kinds[] = {Access::kRead, Access::kWrite, Access::kExecute};
      const Access kind = kinds[random() % 3];
      bool allowed = found != model.end();
      if (allowed && kind == Access::kWrite) allowed = !has(found->second.prot, Prot::kReadOnly);
      if (allowed && kind == Access::kExecute) allowed = !has(found->second.prot, Prot::kNoExec);
      const emu::Translation seen = rig_.mmu.translate(kAsIndex, {va}, kind);
      ASSERT_EQ(seen.status, allowed ? MemoryStatus::kOk : MemoryStatus::kStall)
          << "step " << step << " page " << page;
      if (allowed) {
        const auto at = static_cast<std::uint64_t>(seen.host - rig_.memory.dram().host);
        ASSERT_EQ(SparseMemory::kBase + at, found->second.frame + va % kPageSize);
        continue;
      }
      registers_.clear_faults(1u << kAs);
      ASSERT_EQ(registers_.disable(kAs), Outcome::kDone);
      enable();
    }
  }
}

// Without the flush the device would go on as before: what the tests above rely on.
TEST_F(LegacyMode, WithoutTheFlushTheOldTranslationIsUsed) {
  map(range(kGiB, kPageSize), kData, Prot::kNone);
  EXPECT_EQ(rig_.reach(kAs, kGiB), kData);
  EXPECT_TRUE(table_->unmap(range(kGiB, kPageSize), pages_));
  EXPECT_EQ(rig_.reach(kAs, kGiB), kData) << "cached";
  EXPECT_EQ(registers_.lock(kAs, range(kGiB, kPageSize)), Outcome::kDone);
  EXPECT_EQ(registers_.unlock(kAs), Outcome::kDone);
  expect_fault(kGiB, Access::kRead, datasheet::Exception::kTranslationFault0);
}

}  // namespace
}  // namespace pantry::campaigns
