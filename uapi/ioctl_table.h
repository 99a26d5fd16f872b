// SPDX-License-Identifier: MIT
//
// Which handler an ioctl number has, how large its argument is for the kernel, and who may call it.
// The number alone selects the handler; size and direction bits of the request only say how much is
// copied (panthor-uapi.md A.0).
#pragma once

#include "uapi/ioctl_call.h"

namespace pantry::uapi {

enum class IoctlAccess {
  kAnyone,   // render node too
  kPrimary,  // primary node only
  kKnown,    // primary node, authenticated files only
  kMaster,   // primary node, current master only
};

struct IoctlEntry {
  std::uint32_t command = 0;  // the kernel's own request value: its size and directions
  IoctlAccess access = IoctlAccess::kAnyone;
  IoctlHandler handler = nullptr;
  const char* name = nullptr;
};

// The entry for `command`, or nullptr: EINVAL.
const IoctlEntry* find_ioctl(std::uint32_t command);

}  // namespace pantry::uapi
