// SPDX-License-Identifier: MIT
#include "driver/gem/arena_backing.h"

#include "driver/gem/zero_frames.h"

namespace pantry::driver {

Result<OwnedFd> ArenaBacking::place(std::span<const PhysExtent> frames, std::uint64_t) {
  for (const PhysExtent& extent : frames) zero_frames(dram_, extent);
  return OwnedFd();
}

void ArenaBacking::withdraw(std::span<const PhysExtent> frames) noexcept {
  for (const PhysExtent& extent : frames) zero_frames(dram_, extent);
}

}  // namespace pantry::driver
