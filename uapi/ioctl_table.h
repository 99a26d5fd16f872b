// SPDX-License-Identifier: MIT
//
// Which handler an ioctl number has, how large its argument is for the kernel, and who may call it.
// The number alone selects the handler; size and direction bits of the request only say how much is
// copied (panthor-uapi.md A.0). A number that the presented version does not have is an unknown
// one.
#pragma once

#include "uapi/ioctl_call.h"

namespace pantry::uapi {

enum class IoctlAccess {
  kAnyone,      // render node too
  kPrimary,     // primary node only
  kKnown,       // primary node, authenticated files only
  kMaster,      // primary node, current master only
  kRootMaster,  // the same, with CAP_SYS_ADMIN
};

struct IoctlEntry {
  std::uint32_t command = 0;  // the kernel's own request value: its size and directions
  IoctlAccess access = IoctlAccess::kAnyone;
  IoctlHandler handler = nullptr;
  const char* name = nullptr;
  bool Features::*since = nullptr;  // what a version must have; null: every version has it
};

// The entry for `command` at the version of `features`, or nullptr: EINVAL.
const IoctlEntry* find_ioctl(std::uint32_t command, const Features& features);

}  // namespace pantry::uapi
