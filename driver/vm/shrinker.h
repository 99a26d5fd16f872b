// SPDX-License-Identifier: MIT
//
// Memory pressure (panthor-uapi.md C.5 "Reclaim"): when frames run out, buffers that are idle give
// theirs up, the one bound longest ago first. Their content is kept (buffer.h), as far as there is
// swap for it (BufferStore::set_swap); they get frames again at the next submit of a VM that maps
// them (Vm::make_resident), or when they are bound anew. One per device.
//
// A buffer of a client is evicted if nobody maps it, or if all VMs that do are between submits and
// all fences of their reservations, and of its own, have signalled. Not evicted: one that a bind
// which was prepared and has not run will map (its frames are resolved already, so it is pinned),
// what sparse ranges show, and kernel buffers (rings, heaps, queue sync objects, firmware). CPU
// mappings and exports as dma-buf make no difference: whoever maps the memfd sees the content in
// any case, and whoever imports it here has his fences in the same reservation and his VMs among
// those that are looked at.
//
// Order: the VM's page table is emptied of the buffer under one locked region, that is flushed, and
// only then the frames are given back. Submits to the VMs that are looked at wait meanwhile.
//
// Locks: `evicting` is held by one reclaimer at a time, under it the operation locks of VMs, one
// after the other, and leaf locks are taken; no fence is waited for. `returning` is held by one
// submit at a time that brings buffers back, outside of `evicting`, since that takes frames.
// Neither is ever taken inside a SignallingSection.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "base/ref.h"
#include "driver/gem/buffer_store.h"
#include "driver/memory/reclaimer.h"

namespace pantry::driver {

class PagePool;
class Vm;

class Shrinker final : public Reclaimer {
 public:
  Shrinker(BufferStore& buffers, PagePool& pages) : buffers_(buffers), pages_(pages) {}
  // Every VM is gone by then (CHECK).
  ~Shrinker();

  // Evicts until `bytes` are free that were not, or nothing more can be; then spare pages of the
  // page-table pool go. O(buffers log buffers + mappings of all VMs).
  std::uint64_t reclaim(std::uint64_t bytes) override PANTRY_MAY_ALLOCATE;
  // The same in pages; the other tells what the last one freed.
  std::uint64_t shrink(std::uint64_t pages) PANTRY_MAY_ALLOCATE;
  std::uint64_t last_shrunk_pages() const noexcept { return last_shrunk_; }

  struct Counters {
    std::uint64_t evictions = 0;  // of buffers
    std::uint64_t evicted_bytes = 0;
    std::uint64_t returned_mappings = 0;  // bound again by submits
  };
  Counters counters() const noexcept;

 private:
  friend class Vm;
  // From the first moment that a VM can map something until the last.
  void add(Vm& vm) PANTRY_MAY_ALLOCATE;  // throws std::bad_alloc
  void remove(Vm& vm) noexcept;
  std::vector<Ref<Vm>> vms() PANTRY_MAY_ALLOCATE;

  BufferStore& buffers_;
  PagePool& pages_;
  Mutex returning_;
  Mutex evicting_;
  Mutex list_mutex_;  // leaf
  std::vector<Vm*> list_ PANTRY_GUARDED_BY(list_mutex_);
  std::atomic<std::uint64_t> last_shrunk_{0};
  std::atomic<std::uint64_t> evictions_{0};
  std::atomic<std::uint64_t> evicted_bytes_{0};
  std::atomic<std::uint64_t> returned_mappings_{0};
};

}  // namespace pantry::driver
