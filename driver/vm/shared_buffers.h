// SPDX-License-Identifier: MIT
//
// The buffers of a VM that are not private to it: each has fences of its own, so a job of the VM
// must be added to each. A buffer is in the set while a mapping or a prepared bind holds its
// SharedBuffer.
//
// Leaf lock: under it nothing is allocated or freed. link() and reservations() allocate, the last
// release of a SharedBuffer frees.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "base/mutex.h"
#include "base/ref.h"
#include "base/result.h"
#include "driver/gem/buffer.h"
#include "driver/kernel/signalling.h"
#include "driver/memory/allocation_faults.h"

namespace pantry::driver {

class SharedBuffers;

class SharedBuffer final : public RefCounted {
 public:
  SharedBuffer(SharedBuffers& set, Ref<Buffer> buffer);

  Buffer& buffer() const { return *buffer_; }

 private:
  friend class SharedBuffers;
  ~SharedBuffer() override;

  SharedBuffers& set_;
  const Ref<Buffer> buffer_;
};

class SharedBuffers {
 public:
  explicit SharedBuffers(AllocationFaults& faults) : faults_(faults) {}
  // Everybody has let go (CHECK).
  ~SharedBuffers();

  // The one SharedBuffer of `buffer`, which is not exclusive. Allocates only if there is none yet:
  // ENOMEM.
  Result<Ref<SharedBuffer>> link(const Ref<Buffer>& buffer) PANTRY_MAY_ALLOCATE;
  // Of each buffer of the set as it is now, with capacity for one more. ENOMEM.
  Result<std::vector<Ref<Reservation>>> reservations() const PANTRY_MAY_ALLOCATE;

  std::size_t size() const;
  bool contains(const Buffer& buffer) const;

 private:
  friend class SharedBuffer;
  using Links = std::map<const Buffer*, SharedBuffer*>;
  void leave(SharedBuffer& link) noexcept;

  AllocationFaults& faults_;
  mutable Mutex mutex_;
  Links links_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::driver
