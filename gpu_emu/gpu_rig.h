// SPDX-License-Identifier: MIT
//
// For tests: a device with memory, interrupt lines and a clock that stands still until a test lets
// it go. Page tables are written here, word by word. The driver's part is in gpu_host.h.
//
// The firmware's address space has one window, [0x04000000, +1 MiB); a user's has one as well,
// [kUserVa, +1 MiB). Both are contiguous in DRAM.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "gpu_emu/datasheet/doorbell.h"
#include "gpu_emu/datasheet/model.h"
#include "gpu_emu/gpu.h"
#include "gpu_emu/mcu/host_blocks.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {

class GpuRig : public InterfacePort, private Wake, private TimeSource {
 public:
  static constexpr std::uint32_t kMcuVa = datasheet::firmware_interface::kSharedSectionVa;
  static constexpr std::uint64_t kMcuPa = SparseMemory::kBase + 0x1000'0000;
  static constexpr std::uint64_t kUserVa = 0x0100'0000;
  static constexpr std::uint64_t kUserPa = SparseMemory::kBase + 0x2000'0000;
  static constexpr std::uint64_t kWindow = kMiB;

  GpuRig(const Quirks& quirks, StreamPolicy policy)
      : gpu(datasheet::kMaliG610, quirks, ports(), policy) {
    mcu_root = new_frame();
    user_root = new_frame();
    for (std::uint64_t at = 0; at < kWindow; at += kPageSize) {
      map(mcu_root, kMcuVa + at, kMcuPa + at, kPageRw | kNoExecute);
      map(user_root, kUserVa + at, kUserPa + at, kPageRw);
    }
  }

  // --- Memory and tables
  std::uint64_t new_frame() { return next_frame_ += kPageSize; }
  std::uint64_t& entry(std::uint64_t table, std::uint64_t va) {
    for (unsigned shift = 39;; shift -= 9) {
      std::uint64_t& word = memory.word(table + (va >> shift & 0x1ff) * 8);
      if (shift == 12) return word;
      if ((word & 3) != 3) word = new_frame() | 3;
      table = word & 0xffff'ffff'f000;
    }
  }
  void map(std::uint64_t root, std::uint64_t va, std::uint64_t pa, std::uint64_t attributes) {
    entry(root, va) = pa | attributes;
  }
  std::atomic_ref<std::uint32_t> word32(std::uint64_t pa) {
    return std::atomic_ref<std::uint32_t>(
        *static_cast<std::uint32_t*>(memory.dram().at(PhysAddr{pa}, 4)));
  }
  std::uint32_t user32(GpuVa va) { return word32(kUserPa + (va.value - kUserVa)).load(); }
  std::uint64_t user64(GpuVa va) { return user32(va) | std::uint64_t{user32(va + 4)} << 32; }
  void put_user(GpuVa va, std::span<const std::uint64_t> words) {
    for (const std::uint64_t word : words) {
      word32(kUserPa + (va.value - kUserVa)).store(static_cast<std::uint32_t>(word));
      word32(kUserPa + (va.value - kUserVa) + 4).store(static_cast<std::uint32_t>(word >> 32));
      va = va + 8;
    }
  }
  std::uint32_t load(std::uint32_t va) override { return word32(kMcuPa + (va - kMcuVa)).load(); }
  void store(std::uint32_t va, std::uint32_t value) override {
    word32(kMcuPa + (va - kMcuVa)).store(value);
  }
  void ring(std::uint32_t page) override { write(datasheet::doorbell::offset_of(page), 1); }

  // --- Registers and time
  std::uint32_t read(std::uint32_t offset) { return gpu.read32(offset); }
  void write(std::uint32_t offset, std::uint32_t value) { gpu.write32(offset, value); }
  // Clocks the device, then lets `step` pass, until `done()` or the limit; false: the limit.
  template <class Done>
  bool poll(Duration step, Duration limit, Done done) {
    for (const TimePoint end = time + limit; !done(); time = time + step) {
      if (time > end) return false;
      gpu.run(1000);
    }
    return true;
  }
  // Runs until the device is idle, without letting time pass.
  RunState settle() {
    for (int i = 0; i < 1000; ++i) {
      const RunState state = gpu.run(10'000);
      if (state.kind != RunState::Kind::kBusy) return state;
    }
    ADD_FAILURE() << "busy for ever";
    return {};
  }
  void pass(Duration span) {
    const TimePoint end = time + span;
    for (RunState state = settle(); state.until <= end; state = settle()) {
      time = std::max(time + nanoseconds(1), state.until);
    }
    time = end;
    settle();
  }

  SparseMemory memory;
  LevelLine gpu_line, job_line, mmu_line;
  std::atomic<std::uint32_t> user_page{0};
  TimePoint time{1'000'000'000};
  Duration per_look{};  // what passes whenever the device looks at the clock
  std::atomic<int> wakes{0};
  Gpu gpu;
  std::uint64_t mcu_root = 0, user_root = 0;

 protected:
  void write64(std::uint32_t offset, std::uint64_t value) { gpu.write64(offset, value); }

 private:
  HostPorts ports() {
    return {.dram = memory.dram(),
            .gpu_irq = &gpu_line,
            .job_irq = &job_line,
            .mmu_irq = &mmu_line,
            .user_page = {&user_page},
            .wake = this,
            .time = this};
  }
  void wake() override { ++wakes; }
  TimePoint now() override { return time = time + per_look; }

  std::uint64_t next_frame_ = SparseMemory::kBase;
};

}  // namespace pantry::emu
