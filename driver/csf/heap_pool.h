// SPDX-License-Identifier: MIT
//
// The tiler heaps of one VM (panthor-uapi.md F): their contexts, in one buffer in the kernel's part
// of the VM, and their chunks. Made at the first TILER_HEAP_CREATE; everything in it goes with
// Vm::destroy, at once, also when the device still uses it.
//
// A heap only grows when a stream has used up what it had and the firmware asks (heap_growth.h). It
// shrinks never, but for a chunk that could not be handed over.
//
// Any thread outside of a SignallingSection. The lock is never held across an allocation of GPU
// memory. Layouts: datasheet/tiler_heap.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "driver/kernel/id_table.h"
#include "driver/vm/vm.h"
#include "driver/vm/vm_attachment.h"

namespace pantry::driver {

class HeapPool final : public VmAttachment {
 public:
  static constexpr std::uint32_t kHeaps = 128;

  // How far apart contexts are: a line of the L2 has no two of them.
  static std::uint32_t context_stride(std::uint32_t l2_features);

  // The pool of `vm`, which is made if there is none. EINVAL: the VM is destroyed; ENOMEM, ENOSPC.
  static Result<Ref<HeapPool>> of(Vm& vm, std::uint32_t stride) PANTRY_MAY_ALLOCATE;
  // Null if there is none.
  static Ref<HeapPool> find(const Vm& vm);

  struct Args {
    std::uint32_t initial_chunks = 0;    // 1 or more
    std::uint32_t chunk_bytes = 0;       // a multiple of 4 KiB, 128 KiB to 8 MiB
    std::uint32_t max_chunks = 0;        // initial_chunks or more
    std::uint32_t target_in_flight = 0;  // passes in flight up to which it grows
  };
  struct Created {
    std::uint32_t id = 0;  // 0..127, the lowest free
    GpuVa context;
  };
  // EINVAL (each rule above; VM destroyed or unusable), ENOMEM, ENOSPC, EBUSY: 128 exist.
  // `first_chunk` is written once the chunks are there, so on EBUSY too, as in Linux.
  Result<Created> create(const Args& args, GpuVa& first_chunk) PANTRY_MAY_ALLOCATE;
  // EINVAL: unknown.
  Result<> destroy(std::uint32_t id) PANTRY_MAY_ALLOCATE;

  // Passes on a heap, as the firmware counts them; the numbers wrap.
  struct Passes {
    std::uint32_t begun = 0;
    std::uint32_t tiled = 0;
    std::uint32_t rendered = 0;
  };
  // One more chunk for the heap whose context is at `context`: its chunk word. ENOMEM: the heap
  // must do without (as large as it may be, too many passes in flight, no memory). EINVAL: counts
  // that make no sense, or no such heap. What else: ENOSPC, or EINVAL of a dead VM.
  Result<std::uint64_t> grow(GpuVa context, const Passes& passes) PANTRY_MAY_ALLOCATE;
  // Takes a chunk back that grow() gave and nobody has seen.
  void give_back(GpuVa context, std::uint64_t chunk_word) PANTRY_MAY_ALLOCATE;

  // For reports and tests: chunks of all heaps, and their bytes.
  struct Totals {
    std::uint32_t heaps = 0;
    std::uint32_t chunks = 0;
    std::uint64_t bytes = 0;
  };
  Totals totals();

 private:
  struct Heap final : RefCounted {
    explicit Heap(const Args& with) : args(with) {}
    const Args args;
    // Guarded by the pool's lock. One that is being made is counted and not yet in `chunks`.
    std::uint32_t chunk_count = 0;
    std::vector<KernelMapping> chunks;
  };

  HeapPool(Vm& vm, std::uint32_t stride) : vm_(vm), stride_(stride) {}
  void on_vm_destroyed() override PANTRY_MAY_ALLOCATE;
  // The heap of a context, if it exists.
  Ref<Heap> heap_at(GpuVa context) PANTRY_REQUIRES(mutex_);
  Result<KernelMapping> new_chunk(const Heap& heap, std::uint64_t next) PANTRY_MAY_ALLOCATE;

  Vm& vm_;  // alive while it is not destroyed, and used by those who hold it
  const std::uint32_t stride_;
  Mutex mutex_;
  bool destroyed_ PANTRY_GUARDED_BY(mutex_) = false;
  KernelMapping contexts_ PANTRY_GUARDED_BY(mutex_);
  IdTable<Ref<Heap>> heaps_ PANTRY_GUARDED_BY(mutex_){0, kHeaps - 1};
};

}  // namespace pantry::driver
