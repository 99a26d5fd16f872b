// SPDX-License-Identifier: MIT
//
// How a VM's address space is divided: the client's part from 0, the kernel's part at the top
// (panthor-uapi.md C.1).
#pragma once

#include "base/result.h"
#include "base/signalling.h"
#include "base/types.h"

namespace pantry::driver {

struct VaSplit {
  std::uint64_t user_size =
      0;  // bytes; also where the kernel's part starts, and what VM_CREATE writes back
  GpuRange kernel;
};

// `va_bits` of the GPU (33 to 48), `requested` as in VM_CREATE (0: the default). EINVAL as
// documented.
Result<VaSplit> split_va(std::uint32_t va_bits, std::uint64_t requested) PANTRY_MAY_ALLOCATE;

}  // namespace pantry::driver
