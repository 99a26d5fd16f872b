// SPDX-License-Identifier: MIT
//
// Buffers as memfds in a window of DRAM: each buffer's memory is a file of its own, mapped
// (MAP_FIXED) at the host addresses of its frames. A client maps the same file, so it and the
// device share the bytes, and what a client holds is never more than its own buffers.
//
// Invariant: a page of the window is either part of exactly one placed buffer or private anonymous
// memory. The number of mappings in a process is limited (vm.max_map_count, 65530 by default) and a
// placement costs about 13 us, therefore pieces of 64 KiB or more. The host's mmap serialises, and
// different frames never meet.
#pragma once

#include "driver/gem/backing.h"
#include "driver/gem/mapping_reserve.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class WindowBacking final : public Backing {
 public:
  // `dram` is private anonymous memory of this process, page-aligned, readable and writable.
  explicit WindowBacking(emu::Dram dram);

  std::uint64_t min_extent() const noexcept override { return 64 * kKiB; }
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
  Result<> map_file(std::span<const PhysExtent> frames, std::uint64_t size,
                    int memfd) PANTRY_MAY_ALLOCATE;
  void undo(std::span<const PhysExtent> frames, std::uint64_t placed, PhysExtent failed) noexcept;
  bool replace_by_anonymous(PhysExtent piece) noexcept;

  const emu::Dram dram_;
  MappingReserve reserve_;
};

}  // namespace pantry::driver
