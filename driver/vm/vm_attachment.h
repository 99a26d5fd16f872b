// SPDX-License-Identifier: MIT
//
// What hangs off a VM and ends with it, though the VM does not know what it is: its tiler heaps.
// One per VM (Vm::attach). It may hold KernelMappings, and with them references to the VM, because
// it is told to let go of them before the VM's mappings go.
#pragma once

#include "base/ref.h"
#include "driver/kernel/signalling.h"

namespace pantry::driver {

class VmAttachment : public RefCounted {
 public:
  // Vm::destroy, once; no lock held.
  virtual void on_vm_destroyed() PANTRY_MAY_ALLOCATE = 0;
};

}  // namespace pantry::driver
