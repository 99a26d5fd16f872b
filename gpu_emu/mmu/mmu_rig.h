// SPDX-License-Identifier: MIT
//
// For tests: memory with tables in it, and an MMU on top that is driven through its registers as a
// driver does.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/datasheet/lock_region.h"
#include "gpu_emu/datasheet/mmu_int.h"
#include "gpu_emu/mmu/mmu.h"

namespace pantry::emu {

// 3 GiB of address space, of which only touched pages exist; a 1 GiB block fits twice.
class SparseMemory {
 public:
  static constexpr std::uint64_t kBase = 0x4000'0000;
  static constexpr std::uint64_t kBytes = 3 * kGiB;

  SparseMemory() {
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    PANTRY_CHECK(memory != MAP_FAILED);
    host_ = static_cast<std::uint8_t*>(memory);
  }
  ~SparseMemory() { munmap(host_, kBytes); }
  SparseMemory(const SparseMemory&) = delete;
  SparseMemory& operator=(const SparseMemory&) = delete;

  Dram dram() const { return {{kBase}, kBytes, host_}; }
  std::uint64_t& word(std::uint64_t pa) const {
    return *reinterpret_cast<std::uint64_t*>(host_ + (pa - kBase));
  }

 private:
  std::uint8_t* host_;
};

class ManualClock final : public DeviceClock, public BusFaults {
 public:
  TimePoint now() override { return time; }
  void work_arrived() override { ++wakes; }
  void report_bus_fault(PhysAddr address, Access access, AsIndex as) override {
    bus_faults.push_back({address, access, as});
  }

  struct BusFault {
    PhysAddr address;
    Access access;
    AsIndex as;
    bool operator==(const BusFault&) const = default;
  };
  TimePoint time;
  int wakes = 0;
  std::vector<BusFault> bus_faults;
};

class LevelLine final : public IrqLine {
 public:
  void set(bool level) override { this->level = level; }
  bool level = false;
};

// Leaf words as Panthor writes them.
inline constexpr std::uint64_t kPageRw = 0xf47;
inline constexpr std::uint64_t kPageRo = 0xfc7;
inline constexpr std::uint64_t kBlockRw = 0xf45;
inline constexpr std::uint64_t kNoExecute = std::uint64_t{3} << 53;

inline constexpr std::uint64_t kMemattr = 0x9f9f'9f9f'9c4c'9f4c;
inline constexpr std::uint64_t kTranscfg48 = 0x4200'01c6;

class MmuRig {
 public:
  explicit MmuRig(const Quirks& quirks)
      : mmu(quirks, {memory.dram(), 0xff, {48, 40}}, file, irq, clock, clock) {
    file.write(datasheet::mmu_int::kMask, 0xffff);
    next_table_ = SparseMemory::kBase + 0x10'0000;
    root = new_table();
  }

  // A zeroed frame for a table.
  std::uint64_t new_table() {
    const std::uint64_t table = next_table_;
    next_table_ += kPageSize;
    return table;
  }
  // Where the entry for `va` at `level` is, with the tables above it made where they are missing.
  std::uint64_t entry_at(std::uint64_t table, std::uint64_t va, unsigned level) {
    for (unsigned above = 0;; ++above) {
      const std::uint64_t place = table + (va >> (39 - 9 * above) & 0x1ff) * 8;
      if (above == level) return place;
      if ((memory.word(place) & 3) != 3) memory.word(place) = new_table() | 3;
      table = memory.word(place) & 0xffff'ffff'f000;
    }
  }
  void map(std::uint64_t va, std::uint64_t pa, std::uint64_t attributes) {
    map_in(root, va, pa, attributes);
  }
  void map_in(std::uint64_t table, std::uint64_t va, std::uint64_t pa, std::uint64_t attributes) {
    memory.word(entry_at(table, va, 3)) = pa | attributes;
  }

  std::uint64_t read64(datasheet::Register reg, std::uint32_t as) {
    const std::uint32_t offset = datasheet::address_space::offset_of(as, reg);
    return file.read(offset) | std::uint64_t{file.read(offset + 4)} << 32;
  }
  void write64(datasheet::Register reg, std::uint32_t as, std::uint64_t value) {
    const std::uint32_t offset = datasheet::address_space::offset_of(as, reg);
    file.write(offset, static_cast<std::uint32_t>(value));
    file.write(offset + 4, static_cast<std::uint32_t>(value >> 32));
  }
  std::uint32_t read32(datasheet::Register reg, std::uint32_t as) {
    return file.read(datasheet::address_space::offset_of(as, reg));
  }

  using Command = datasheet::address_space::Command;
  void command(std::uint32_t as, Command command) {
    file.write(datasheet::address_space::offset_of(as, datasheet::address_space::kCommand),
               static_cast<std::uint32_t>(command));
  }
  void lock(std::uint32_t as, GpuRange range) {
    write64(datasheet::address_space::kLockaddr, as, datasheet::lock_region::encode(range));
    command(as, Command::kLock);
  }
  void configure(std::uint32_t as, std::uint64_t transtab, std::uint64_t memattr,
                 std::uint64_t transcfg) {
    write64(datasheet::address_space::kTranstab, as, transtab);
    write64(datasheet::address_space::kMemattr, as, memattr);
    write64(datasheet::address_space::kTranscfg, as, transcfg);
  }
  // As Linux 6.12: flush of everything, registers, UPDATE.
  void enable(std::uint32_t as) {
    flush_everything(as);
    configure(as, root, kMemattr, kTranscfg48);
    command(as, Command::kUpdate);
  }
  void disable(std::uint32_t as) {
    flush_everything(as);
    configure(as, 0, 0, 1);
    command(as, Command::kUpdate);
  }
  void flush_everything(std::uint32_t as) {
    write64(datasheet::address_space::kLockaddr, as, 0x3f);
    command(as, Command::kLock);
    command(as, Command::kFlushMem);
  }

  // The physical address that a read arrives at; 0 when it does not.
  std::uint64_t reach(std::uint8_t as, std::uint64_t va) {
    const Translation t = mmu.translate({as}, {va}, Access::kRead);
    if (t.status != MemoryStatus::kOk) return 0;
    return SparseMemory::kBase + static_cast<std::uint64_t>(t.host - memory.dram().host);
  }
  MemoryStatus access(std::uint8_t as, std::uint64_t va, Access access) {
    return mmu.translate({as}, {va}, access).status;
  }
  std::uint32_t pending() { return file.read(datasheet::mmu_int::kRawstat); }

  SparseMemory memory;
  RegisterFile file;
  LevelLine line;
  IrqBlock irq{file,
               {datasheet::mmu_int::kRawstat, datasheet::mmu_int::kClear, datasheet::mmu_int::kMask,
                datasheet::mmu_int::kStatus},
               line};
  ManualClock clock;
  Mmu mmu;
  std::uint64_t root = 0;

 private:
  std::uint64_t next_table_ = 0;
};

}  // namespace pantry::emu
