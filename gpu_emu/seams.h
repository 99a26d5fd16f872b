// SPDX-License-Identifier: MIT
//
// What a test puts between a driver and its device. Each put_before() is called once for each port,
// before the driver starts; what it returns outlives driver and device, and passes on to the port
// what it likes.
#pragma once

#include "gpu_emu/ports.h"

namespace pantry::emu {

class MmioSeam {
 public:
  // Before the registers, for the driver.
  virtual Mmio& put_before(Mmio& device) = 0;

 protected:
  ~MmioSeam() = default;
};

class FrameOwnerSeam {
 public:
  // Before the checker's ledger, for the driver's allocator.
  virtual FrameOwner& put_before(FrameOwner& ledger) = 0;

 protected:
  ~FrameOwnerSeam() = default;
};

class IrqLineSeam {
 public:
  // Before one of the driver's lines, for the device. In the order of HostPorts.
  virtual IrqLine& put_before(IrqLine& line) = 0;

 protected:
  ~IrqLineSeam() = default;
};

}  // namespace pantry::emu
