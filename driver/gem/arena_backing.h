// SPDX-License-Identifier: MIT
//
// Buffers in plain memory: a buffer's content is its frames and nothing else, so there is no fd and
// no client in another process can map it. For unit tests and simulation, and for frames scattered
// in single pages.
#pragma once

#include "driver/gem/backing.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class ArenaBacking final : public Backing {
 public:
  explicit ArenaBacking(emu::Dram dram) : dram_(dram) {}

  std::uint64_t min_extent() const noexcept override { return kPageSize; }
  Result<OwnedFd> place(std::span<const PhysExtent> frames,
                        std::uint64_t size) override PANTRY_MAY_ALLOCATE;
  void withdraw(std::span<const PhysExtent> frames) noexcept override;
  Result<ParkedContent> park(std::span<const PhysExtent> frames,
                             std::uint64_t size) override PANTRY_MAY_ALLOCATE;
  Result<> unpark(std::span<const PhysExtent> frames, std::uint64_t size, int memfd,
                  const ParkedContent& content) override PANTRY_MAY_ALLOCATE;
  bool read_parked(int memfd, const ParkedContent& content, std::uint64_t offset, void* to,
                   std::uint64_t bytes) override;
  bool write_parked(int memfd, const ParkedContent& content, std::uint64_t offset, const void* from,
                    std::uint64_t bytes) override;

 private:
  const emu::Dram dram_;
};

}  // namespace pantry::driver
