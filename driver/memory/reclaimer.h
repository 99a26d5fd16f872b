// SPDX-License-Identifier: MIT
//
// Who is asked when frames run out. The allocator asks on the thread that wants frames, before it
// says ENOMEM, with no lock of its own held. That thread may hold no lock that is taken inside a
// SignallingSection or by a reclaimer; and a thread that a fence depends on does not ask at all
// (NoReclaim): nothing in the signalling path waits for memory.
#pragma once

#include <cstdint>

#include "driver/kernel/signalling.h"

namespace pantry::driver {

class Reclaimer {
 public:
  // Gives at least `bytes` back to the allocator if it can; returns how many it did. 0: there is
  // nothing that could be given up now. Any thread, not inside a SignallingSection.
  virtual std::uint64_t reclaim(std::uint64_t bytes) PANTRY_MAY_ALLOCATE = 0;

 protected:
  ~Reclaimer() = default;
};

// While one of these lives, an allocation of the calling thread fails at once where it would have
// asked: in work that the device waits for, as the growth of a tiler heap.
class NoReclaim {
 public:
  NoReclaim() noexcept { ++depth_; }
  ~NoReclaim() { --depth_; }
  NoReclaim(const NoReclaim&) = delete;
  NoReclaim& operator=(const NoReclaim&) = delete;
  static bool active() noexcept { return depth_ != 0; }

 private:
  inline static thread_local unsigned depth_ = 0;
};

}  // namespace pantry::driver
