// SPDX-License-Identifier: MIT
//
// The shared section of the firmware, in address space 0, as the firmware reads and writes it.
//
// open() translates every page for writing and is called once per run of the firmware; from then to
// the end of that run words are accessed without a way to fail, so a request needs to be prepared
// for stalls only where it reaches memory outside. Loads acquire and stores release, word by word;
// a 64-bit field is its low word, then its high word. Called with the device's lock held; nothing
// here allocates.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "base/types.h"
#include "gpu_emu/mcu/layout.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

class SharedSection {
 public:
  // Anything but kOk leaves the section closed.
  MemoryStatus open(GpuMemory& memory);

  std::uint32_t load(std::uint32_t offset) const {
    return word(offset).load(std::memory_order_acquire);
  }
  void store(std::uint32_t offset, std::uint32_t value) {
    word(offset).store(value, std::memory_order_release);
  }
  std::uint64_t load64(std::uint32_t offset) const {
    const std::uint64_t lo = load(offset);
    return lo | std::uint64_t{load(offset + 4)} << 32;
  }
  void store64(std::uint32_t offset, std::uint64_t value) {
    store(offset, static_cast<std::uint32_t>(value));
    store(offset + 4, static_cast<std::uint32_t>(value >> 32));
  }

 private:
  static constexpr std::uint32_t kPages = layout::kSectionBytes / kPageSize;

  std::atomic_ref<std::uint32_t> word(std::uint32_t offset) const {
    PANTRY_CHECK(offset < layout::kSectionBytes && offset % 4 == 0);
    std::uint8_t* const byte = pages_[offset / kPageSize] + offset % kPageSize;
    return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(byte));
  }

  std::array<std::uint8_t*, kPages> pages_{};
};

// One block of the section: fields by their offsets in the block.
class SharedBlock {
 public:
  SharedBlock(SharedSection& section, std::uint32_t base) : section_(&section), base_(base) {}

  std::uint32_t load(std::uint32_t field) const { return section_->load(base_ + field); }
  std::uint64_t load64(std::uint32_t field) const { return section_->load64(base_ + field); }
  void store(std::uint32_t field, std::uint32_t value) { section_->store(base_ + field, value); }
  void store64(std::uint32_t field, std::uint64_t value) {
    section_->store64(base_ + field, value);
  }

 private:
  SharedSection* section_;
  std::uint32_t base_;
};

}  // namespace pantry::emu
