// SPDX-License-Identifier: MIT
//
// Reads the arrays of handles and points that many SYNCOBJ ioctls take.
#pragma once

#include <vector>

#include "uapi/ioctl_call.h"

namespace pantry::uapi {

// ENOENT for an unknown handle, EFAULT, ENOMEM.
Result<std::vector<Ref<driver::Syncobj>>> find_syncobjs(Call& call, UserAddr handles,
                                                        std::uint32_t count);
// A null pointer reads as all zero where the ioctl allows it.
enum class NullPoints { kAreZero, kFault };
Result<std::vector<std::uint64_t>> read_points(Call& call, UserAddr points, std::uint32_t count,
                                               NullPoints null);

}  // namespace pantry::uapi
