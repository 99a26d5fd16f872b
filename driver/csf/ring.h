// SPDX-License-Identifier: MIT
//
// The ring buffer of a queue and the two pages through which the firmware is told of it. INSERT and
// EXTRACT count bytes and only grow; the place in the ring is the counter modulo its size.
//
// A job is complete for the host when its sync object was counted up, which is a few instructions
// before EXTRACT has passed its end. So one job less may be in flight than the ring has room for:
// then INSERT never runs into instructions that are yet to be fetched.
//
// Guarded by the scheduler's lock, but for extract(). Allocates while it is created.
#pragma once

#include <cstdint>
#include <span>

#include "driver/csf/interface_block.h"
#include "driver/vm/vm.h"

namespace pantry::driver {

class Firmware;

class Ring {
 public:
  static constexpr std::uint32_t kMinBytes = 4 * kKiB;
  static constexpr std::uint32_t kMaxBytes = 64 * kKiB;
  // A power of two within the limits.
  static bool is_valid_size(std::uint32_t bytes);
  // What the jobs in flight may need together, in instructions.
  static std::uint32_t credits(std::uint32_t bytes);

  // ENOMEM, ENOSPC. `bytes` is valid.
  static Result<Ring> create(Firmware& firmware, Vm& vm, std::uint32_t bytes) PANTRY_MAY_ALLOCATE;

  // A job's place: bytes, as INSERT counts them.
  struct Span {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
  };
  // Writes a job behind what is there and lets the firmware see it. Pre: its credits fit.
  Span append(std::span<const std::uint64_t> words) noexcept;
  // A START begins where the firmware left off.
  void begin_at_extract() noexcept;

  std::uint64_t insert() const { return insert_; }
  std::uint64_t extract() const;
  GpuVa base() const { return ring_.va(); }
  std::uint32_t bytes() const { return static_cast<std::uint32_t>(ring_.size()); }
  GpuVa input_page() const { return pages_.va(); }
  GpuVa output_page() const { return pages_.va() + kPageSize; }

 private:
  Ring(KernelMapping ring, KernelMapping pages);

  KernelMapping ring_;   // in the group's VM
  KernelMapping pages_;  // in the MCU's: input, then output
  InterfaceBlock input_;
  InterfaceBlock output_;
  std::uint64_t insert_ = 0;
};

}  // namespace pantry::driver
