// SPDX-License-Identifier: MIT
//
// Global names of buffers (GEM_FLINK, GEM_OPEN): small numbers, from 1, by which any authenticated
// file can get at a buffer. A name keeps nothing alive; it is there from the first FLINK until no
// file has a handle of the buffer any more. One table per device.
//
// Leaf lock, held across allocations of table nodes; not inside a SignallingSection.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/mutex.h"
#include "driver/gem/buffer.h"
#include "driver/kernel/id_table.h"

namespace pantry::driver {

class BufferNames {
 public:
  // A file has one handle more of `buffer`, or one less. ENOMEM.
  Result<> add_handle(const Buffer& buffer) PANTRY_MAY_ALLOCATE;
  void drop_handle(const Buffer& buffer) noexcept PANTRY_MAY_ALLOCATE;

  // The name that `buffer` has got, 0 if none.
  std::uint32_t known_name_of(const Buffer& buffer) const;

  // How many handles of `buffer` there are.
  std::uint32_t handles_of(const Buffer& buffer) const;

  // The name of `buffer`, which gets one if it has none. ENOENT when nobody has a handle of it any
  // more, ENOMEM.
  Result<std::uint32_t> name_of(Buffer& buffer) PANTRY_MAY_ALLOCATE;
  // The buffer with that name, or null.
  Ref<Buffer> find(std::uint32_t name) const;

  // For reports: all names, in order. Throws std::bad_alloc.
  struct Named {
    std::uint32_t name;
    std::uint32_t handles;
    Ref<Buffer> buffer;
  };
  std::vector<Named> all() const PANTRY_MAY_ALLOCATE;

  // For leak checks: buffers that somebody has a handle of, and those with a name.
  struct Totals {
    std::size_t held = 0;
    std::size_t named = 0;
    bool operator==(const Totals&) const = default;
  };
  Totals totals() const;

 private:
  struct Held {
    std::uint32_t handles = 0;
    std::uint32_t name = 0;  // 0: none
  };
  mutable Mutex mutex_;
  // Whoever has a handle of a buffer has a reference to it, so none in here is gone.
  std::map<const Buffer*, Held> held_ PANTRY_GUARDED_BY(mutex_);
  mutable IdTable<Buffer*> names_ PANTRY_GUARDED_BY(mutex_){1, INT32_MAX};
};

}  // namespace pantry::driver
