// SPDX-License-Identifier: MIT
//
// What the VMs of one device share, and whom they tell of their faults. References only: all of it
// outlives every VM.
#pragma once

#include <cstdint>

#include "driver/kernel/executor.h"
#include "driver/kernel/signalling.h"
#include "driver/mmu/address_spaces.h"
#include "driver/provision/provisioning.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class BufferStore;
class PagePool;
class Shrinker;
class Vm;

// Told about faults of any VM, on the interrupt lane: queues the scheduler's tick.
class VmFaultListener {
 public:
  // `vm` is alive during the call, but its last reference may be gone already: take none.
  virtual void on_vm_fault(Vm& vm, const MmuFault& fault) noexcept = 0;

 protected:
  ~VmFaultListener() = default;
};

// Table pages that the pending asynchronous binds of one VM may hold together (page_quota.h): 64
// MiB, one part in 64 of the memory of a usual board. A bind counts for one at least, and a map of
// one page is laid in three at worst, so 5,461 to 16,383 of them can wait, ten times what a client
// queues that is ahead of the GPU; and eight maps of all of 4 GiB. Linux 6.12 has no bound: there,
// memory itself is it.
inline constexpr std::uint32_t kMaxPendingTablePages = 16384;

// Whether binds note how long they take (BindStatistics::prepare and run), for three readings of
// the clock each.
enum class BindTimes { kOff, kOn };

struct VmDevice {
  Executor& executor;
  Cleanup& cleanup;
  emu::Dram dram;
  AddressSpaces& spaces;
  BufferStore& buffers;
  PagePool& pages;
  VmFaultListener& fault_listener;
  std::uint32_t va_bits = 48;
  std::uint32_t pa_bits = 40;
  using Coherency = driver::Coherency;
  Coherency coherency = Coherency::kNone;
  // Per VM. 1 or more; what a single bind takes is admitted in any case.
  std::uint32_t max_pending_table_pages = kMaxPendingTablePages;
  Provisioning provisioning = kDefaultProvisioning;  // of VMs for which nothing else is said
  Shrinker* shrinker = nullptr;                      // null: no buffer is ever evicted
  BindTimes bind_times = BindTimes::kOff;
};

}  // namespace pantry::driver
