// SPDX-License-Identifier: MIT
//
// Saves the streams of a group into the suspend buffer that the kernel lends, and takes them back.
//
// Self-contained: nothing of a suspended group is kept in the firmware's own memory or sections, so
// it can be resumed in another slot and after any reset. A tag over all of it tells a buffer that
// was never written, or was written over, from a good one. Times are saved relative to the moment,
// since the clock of another boot may be another.
//
//   header: magic, tag, bytes of one stream, mask of saved streams; then the streams of the mask
//
// Holds a scratch copy; nothing is allocated. Called with the device's lock held.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "gpu_emu/cs/stream_state.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

struct SavedStreams {
  std::uint32_t mask = 0;  // bit per CS slot: which of them are meant
  std::array<StreamState, kStreamSlots> streams;
};

class SuspendBuffer {
 public:
  struct Header {
    std::uint64_t magic = 0;
    std::uint64_t tag = 0;
    std::uint32_t stream_bytes = 0;
    std::uint32_t mask = 0;
  };
  // What the firmware tells the kernel to allocate, in whole pages.
  static constexpr std::uint32_t kBytes = 0x4000;
  static_assert(sizeof(Header) + kStreamSlots * sizeof(StreamState) <= kBytes);

  // All or nothing. `now` is what the times in the streams are relative to.
  MemoryStatus save(GpuMemory& memory, GpuVa buffer, const SavedStreams& saved, TimePoint now);

  // Right after save(): one bit of what it wrote is another.
  void corrupt(GpuMemory& memory, GpuVa buffer);

  enum class Content : std::uint8_t { kIntact, kCorrupted };
  struct Loaded {
    MemoryStatus status = MemoryStatus::kOk;
    Content content = Content::kCorrupted;  // of interest when the status is kOk
  };
  // `into` changes only when the content is intact.
  Loaded load(GpuMemory& memory, GpuVa buffer, SavedStreams& into, TimePoint now);

 private:
  alignas(8) std::array<std::byte, kBytes> scratch_{};
};

}  // namespace pantry::emu
