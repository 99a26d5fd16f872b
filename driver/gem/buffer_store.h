// SPDX-License-Identifier: MIT
//
// Creates buffers and finds them again by mmap offset. One per device. Look-ups take a reference
// under the store's lock, which is never held across an allocation of frames and never taken inside
// a SignallingSection.
#pragma once

#include <memory>
#include <vector>

#include "driver/gem/buffer.h"
#include "driver/kernel/signalling.h"
#include "driver/memory/frame_allocator.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class BufferStore {
 public:
  BufferStore(FrameAllocator& frames, emu::Dram dram, Backing& backing);
  // Every buffer is gone by then (CHECK).
  ~BufferStore();

  // From now on buffers that nobody has any more lose their memory on `lane` (DeferredWithdrawal),
  // before on the thread that dropped the last reference. Once. The lane outlives the store.
  void withdraw_on(WorkLane& lane) PANTRY_MAY_ALLOCATE;

  // BO_CREATE: `size` is rounded up to 4 KiB (0 after rounding: ENOSPC; above about 1 TiB: ENOSPC;
  // 2^63 and more: EINVAL, errata A.16), content zeroed. ENOMEM. `exclusive_to` null: shared, with
  // a reservation of its own. `payer` is charged for the memory and the descriptor until the buffer
  // is gone (ENOMEM past its limits); null: nobody.
  Result<Ref<Buffer>> create(std::uint64_t size, std::uint32_t create_flags,
                             Ref<Reservation> exclusive_to,
                             Account* payer = nullptr) PANTRY_MAY_ALLOCATE;
  // For the driver's own use: contiguous, zeroed, in memory that no client can ever map. Consumes
  // an mmap offset, as in Linux, though nobody can use it. ENOMEM, also past the limit of `payer`,
  // for whom the driver needs it; null: for all.
  Result<Ref<Buffer>> create_kernel(std::uint64_t size,
                                    Account* payer = nullptr) PANTRY_MAY_ALLOCATE;

  // The live buffer whose mmap offset is exactly `offset`, or null.
  Ref<Buffer> find_by_mmap_offset(std::uint64_t offset);

  // How many bytes of evicted buffers may be kept at once; 0, as at first: none is ever evicted.
  // Any thread; lowering it brings nothing back.
  void set_swap(std::uint64_t bytes) noexcept;
  std::uint64_t swap() const noexcept;
  // The buffers of clients that have frames, the one pinned longest ago first. Throws
  // std::bad_alloc. O(n log n) in the number of buffers.
  std::vector<Ref<Buffer>> resident_buffers() PANTRY_MAY_ALLOCATE;
  // For reports: those that are there, by mmap offset. Throws std::bad_alloc.
  std::vector<Ref<Buffer>> all() PANTRY_MAY_ALLOCATE;

  // For leak checks and reports.
  struct Totals {
    std::uint64_t buffers = 0;
    std::uint64_t bytes = 0;
    std::uint64_t evicted_bytes = 0;  // of these
    constexpr bool operator==(const Totals&) const = default;
  };
  Totals totals() const;

 private:
  friend class Buffer;
  struct State;
  const emu::Dram& dram() const;
  Backing& backing() const;
  // Of a buffer that is leaving: its content goes to where it is kept, its frames to the allocator.
  // ENOMEM: swap or host are full.
  Result<> take_frames(Buffer& buffer) PANTRY_MAY_ALLOCATE;
  // Of a buffer that is returning: the reverse. ENOMEM.
  Result<> bring_back(Buffer& buffer) PANTRY_MAY_ALLOCATE;
  std::uint64_t next_pin() noexcept;
  Result<Ref<Buffer>> new_buffer(std::uint64_t size,
                                 Buffer::Placement placement) PANTRY_MAY_ALLOCATE;
  // Gives the buffer its mmap offset.
  Result<> number(Buffer& buffer) PANTRY_MAY_ALLOCATE;
  // From now on look-ups find it.
  Result<> publish(Buffer& buffer) PANTRY_MAY_ALLOCATE;
  void destroy(Buffer& buffer) noexcept PANTRY_MAY_ALLOCATE;

  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
