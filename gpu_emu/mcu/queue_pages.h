// SPDX-License-Identifier: MIT
//
// The two pages of a queue in the firmware's address space: INSERT and EXTRACT_INIT, which the host
// writes, EXTRACT and ACTIVE, which the firmware writes.
//
// open() translates both; what it found is good for the run of the firmware that `slice` numbers,
// and open() again in the same run costs nothing. Called with the device's lock held; no
// allocation.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "base/types.h"
#include "gpu_emu/datasheet/cs_interface.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

class QueuePages {
 public:
  QueuePages() = default;
  QueuePages(GpuVa input, GpuVa output) : input_va_(input), output_va_(output) {}

  // Both there and where 64-bit words can be.
  bool are_valid() const {
    return input_va_.value != 0 && output_va_.value != 0 && is_aligned(input_va_.value, 16) &&
           is_aligned(output_va_.value, 16);
  }

  // Pre: are_valid().
  MemoryStatus open(GpuMemory& memory, std::uint64_t slice) {
    if (slice_ == slice) return MemoryStatus::kOk;
    constexpr AsIndex kFirmwareSpace{0};
    const Translation input = memory.translate(kFirmwareSpace, input_va_, Access::kRead);
    if (input.status != MemoryStatus::kOk) return input.status;
    const Translation output = memory.translate(kFirmwareSpace, output_va_, Access::kWrite);
    if (output.status != MemoryStatus::kOk) return output.status;
    // 16 bytes, aligned to 16, never leave a page.
    input_ = input.host;
    output_ = output.host;
    slice_ = slice;
    return MemoryStatus::kOk;
  }

  // Pre, all: open in this run.
  std::uint64_t load_insert() const {
    return word<std::uint64_t>(input_, datasheet::cs::queue_input::kInsert)
        .load(std::memory_order_acquire);
  }
  std::uint64_t load_extract_init() const {
    return word<std::uint64_t>(input_, datasheet::cs::queue_input::kExtractInit)
        .load(std::memory_order_acquire);
  }
  std::uint64_t* extract() const {
    PANTRY_CHECK(output_ != nullptr);
    return reinterpret_cast<std::uint64_t*>(output_ + datasheet::cs::queue_output::kExtract);
  }
  void store_extract(std::uint64_t value) const {
    std::atomic_ref<std::uint64_t>(*extract()).store(value, std::memory_order_release);
  }
  enum class Activity : std::uint32_t { kInactive = 0, kActive = 1 };
  void store_activity(Activity activity) const {
    word<std::uint32_t>(output_, datasheet::cs::queue_output::kActive)
        .store(static_cast<std::uint32_t>(activity), std::memory_order_release);
  }

 private:
  template <class Word>
  static std::atomic_ref<Word> word(std::uint8_t* page, std::uint32_t offset) {
    PANTRY_CHECK(page != nullptr);
    return std::atomic_ref<Word>(*reinterpret_cast<Word*>(page + offset));
  }

  GpuVa input_va_;
  GpuVa output_va_;
  std::uint64_t slice_ = 0;  // runs are numbered from 1
  std::uint8_t* input_ = nullptr;
  std::uint8_t* output_ = nullptr;
};

}  // namespace pantry::emu
