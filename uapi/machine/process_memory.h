// SPDX-License-Identifier: MIT
//
// The memory of a process, this one or another; a bad pointer is EFAULT all the same. Of another it
// takes the right to trace it, which the host of a child has.
#pragma once

#include <sys/types.h>

#include "uapi/user_memory.h"

namespace pantry::uapi {

class ProcessMemory final : public UserMemory {
 public:
  explicit ProcessMemory(pid_t pid) : pid_(pid) {}
  Result<> read(UserAddr from, void* to, std::size_t bytes) override;
  Result<> write(UserAddr to, const void* from, std::size_t bytes) override;

 private:
  const pid_t pid_;
};

}  // namespace pantry::uapi
