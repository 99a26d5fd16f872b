// SPDX-License-Identifier: MIT
//
// The one place that knows all provisioners.
#pragma once

#include <memory>

#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/provision/provisioner.h"
#include "driver/provision/provisioning.h"

namespace pantry::driver {

// For the page table `table`, which is made of pages of `pool`; both outlive the provisioner. Null
// when there is no memory.
std::unique_ptr<Provisioner> make_provisioner(Provisioning kind, ArmLpaeS1Table& table,
                                              PagePool& pool) PANTRY_MAY_ALLOCATE;

}  // namespace pantry::driver
