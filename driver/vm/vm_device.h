// SPDX-License-Identifier: MIT
//
// What the VMs of one device share, and whom they tell of their faults. References only: all of it
// outlives every VM.
#pragma once

#include <cstdint>

#include "driver/kernel/executor.h"
#include "driver/kernel/signalling.h"
#include "driver/mmu/address_spaces.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class BufferStore;
class PagePool;
class Vm;

// Told about faults of any VM, on the interrupt lane: queues the scheduler's tick.
class VmFaultListener {
 public:
  // `vm` is alive during the call, but its last reference may be gone already: take none.
  virtual void on_vm_fault(Vm& vm, const MmuFault& fault) noexcept = 0;

 protected:
  ~VmFaultListener() = default;
};

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
};

}  // namespace pantry::driver
