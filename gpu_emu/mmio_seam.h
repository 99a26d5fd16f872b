// SPDX-License-Identifier: MIT
//
// What a test puts between a driver and the registers of its device.
#pragma once

#include "gpu_emu/ports.h"

namespace pantry::emu {

class MmioSeam {
 public:
  // The driver is given what this returns, which outlives the driver and passes on to `device` what
  // it likes.
  virtual Mmio& put_before(Mmio& device) = 0;

 protected:
  ~MmioSeam() = default;
};

}  // namespace pantry::emu
