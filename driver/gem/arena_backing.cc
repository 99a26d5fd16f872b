// SPDX-License-Identifier: MIT
#include "driver/gem/arena_backing.h"

#include <cstring>
#include <new>

#include "base/check.h"
#include "driver/gem/zero_frames.h"

namespace pantry::driver {

Result<OwnedFd> ArenaBacking::place(std::span<const PhysExtent> frames, std::uint64_t) {
  for (const PhysExtent& extent : frames) zero_frames(dram_, extent);
  return OwnedFd();
}

void ArenaBacking::withdraw(std::span<const PhysExtent> frames) noexcept {
  for (const PhysExtent& extent : frames) zero_frames(dram_, extent);
}

Result<ParkedContent> ArenaBacking::park(std::span<const PhysExtent> frames, std::uint64_t size) {
  ParkedContent content(new (std::nothrow) std::uint8_t[size]);
  if (!content) return Error(Errno::kNoMem);
  std::uint8_t* next = content.get();
  for (const PhysExtent& extent : frames) {
    std::memcpy(next, dram_.at(extent.start, extent.size), extent.size);
    next += extent.size;
  }
  PANTRY_CHECK(next == content.get() + size);
  withdraw(frames);
  return content;
}

Result<> ArenaBacking::unpark(std::span<const PhysExtent> frames, std::uint64_t size, int,
                              const ParkedContent& content) {
  const std::uint8_t* next = content.get();
  for (const PhysExtent& extent : frames) {
    std::memcpy(dram_.at(extent.start, extent.size), next, extent.size);
    next += extent.size;
  }
  PANTRY_CHECK(next == content.get() + size);
  return {};
}

bool ArenaBacking::read_parked(int, const ParkedContent& content, std::uint64_t offset, void* to,
                               std::uint64_t bytes) {
  std::memcpy(to, content.get() + offset, bytes);
  return true;
}

bool ArenaBacking::write_parked(int, const ParkedContent& content, std::uint64_t offset,
                                const void* from, std::uint64_t bytes) {
  std::memcpy(content.get() + offset, from, bytes);
  return true;
}

}  // namespace pantry::driver
