// SPDX-License-Identifier: MIT
//
// Containers are transparent for what is inside: leaves() takes a chain or an array apart, merge()
// puts fences together again, as the kernel does it for SYNC_IOC_FILE_INFO, SYNC_IOC_MERGE and
// SYNCOBJ_TRANSFER. Containers never nest: an array holds no container, a chain holds no chain.
#pragma once

#include <span>
#include <vector>

#include "driver/sync/fence.h"

namespace pantry::driver {

// The fences that `fence` consists of, itself if it is no container; earlier points of a chain that
// have signalled are left out. ENOMEM.
Result<std::vector<Ref<Fence>>> leaves(const Ref<Fence>& fence) PANTRY_MAY_ALLOCATE;

// One fence that signals when all of `fences` have: of the leaves that are still pending the latest
// of each context. A stub without error and with the time of the last one when none is pending.
// Never a chain. ENOMEM.
Result<Ref<Fence>> merge(std::span<const Ref<Fence>> fences) PANTRY_MAY_ALLOCATE;

}  // namespace pantry::driver
