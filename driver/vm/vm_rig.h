// SPDX-License-Identifier: MIT
//
// For tests only: a VmTestBed on which whatever a test leaves behind that a correct driver would
// have given back is a failure of that test. PANTRY_PROVISION (worst-case, exact, range-reserve)
// says which provisioner the VMs have.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "driver/vm/vm_test_bed.h"

namespace pantry::driver {

class VmRig final : public VmTestBed {
 public:
  VmRig(Executor& on, Placement placement) : VmTestBed(on, placement, provisioning()) {}
  ~VmRig() { EXPECT_STREQ(left_behind(), nullptr); }

  static Provisioning provisioning() {
    const char* name = std::getenv("PANTRY_PROVISION");
    return name ? provisioning_named(name).value() : kDefaultProvisioning;
  }
};

// A fence that a test signals by hand.
class ManualFence final : public Fence {
 public:
  ManualFence() : Fence(next_context(), 1) {}
  const char* driver_name() const noexcept override { return "test"; }
  const char* timeline_name() const noexcept override { return "manual"; }
};

}  // namespace pantry::driver
