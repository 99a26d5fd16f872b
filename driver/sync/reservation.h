// SPDX-License-Identifier: MIT
//
// The fences of everything that uses a buffer, or all private buffers of a VM, each with what kind
// of use it is. Adding a fence cannot fail: room for it was reserved while the job was prepared.
// Every room that was reserved is either used by add or given back.
//
// The lock is a leaf that is never held across an allocation or a free, so add is allowed in any
// context, also inside a SignallingSection. reserve and merged allocate.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "driver/sync/fence.h"

namespace pantry::driver {

class Reservation final : public RefCounted {
 public:
  // From strongest to weakest; who waits for one waits for all stronger ones.
  enum class Use : std::uint8_t {
    kKernel,       // moves of the memory itself; everybody waits for them
    kWrite,        // implicit synchronisation: readers and writers wait
    kRead,         // implicit synchronisation: writers wait
    kBookkeeping,  // keeps the memory in place and is not seen by implicit synchronisation: all
                   // jobs of Panthor
  };

  // Room for `count` more fences. ENOMEM: nothing has changed.
  Result<> reserve(std::uint32_t count) PANTRY_MAY_ALLOCATE;
  // Takes back what `reserve` made, for jobs that were not submitted after all.
  void unreserve(std::uint32_t count) noexcept;
  // Uses one room.
  void add(Ref<Fence> fence, Use use) noexcept;
  void add(Ref<Fence> fence) noexcept { add(std::move(fence), Use::kBookkeeping); }

  // Takes in fences that somebody else has made (DMA_BUF_IOCTL_IMPORT_SYNC_FILE). One of a context
  // stands for the earlier ones of it whose use is the same or weaker, so there is at most one of
  // each context and use, and a fence that comes again with a stronger use is promoted. ENOMEM:
  // nothing has changed. Not inside a SignallingSection. O(fences in here) for each.
  Result<> admit(std::span<const Ref<Fence>> fences, Use use) PANTRY_MAY_ALLOCATE;

  // Whether all uses of kind `weakest` and stronger are over.
  bool idle(Use weakest) const noexcept;
  // One fence that signals when they are; it is signalled already if they are over. ENOMEM.
  Result<Ref<Fence>> merged(Use weakest) const PANTRY_MAY_ALLOCATE;

  // For reports and tests.
  struct View {
    std::uint32_t fences = 0;  // also those that have signalled and were not swept out yet
    std::uint32_t reserved = 0;
  };
  View view() const noexcept;

 private:
  struct Entry {
    Ref<Fence> fence;
    Use use;
  };
  ~Reservation() override = default;
  std::size_t pending() const PANTRY_REQUIRES(mutex_);
  bool covers(const Fence& fence, Use use) const PANTRY_REQUIRES(mutex_);
  Entry* replaceable(const Fence& by, Use use) PANTRY_REQUIRES(mutex_);

  mutable Mutex mutex_;
  // capacity() >= size() + reserved_
  std::vector<Entry> entries_ PANTRY_GUARDED_BY(mutex_);
  std::size_t reserved_ PANTRY_GUARDED_BY(mutex_) = 0;
};

}  // namespace pantry::driver
