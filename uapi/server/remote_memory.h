// SPDX-License-Identifier: MIT
//
// The memory of a client in another process. Needs the right to trace it, which the host of a child has.
#pragma once

#include <sys/types.h>

#include "uapi/user_memory.h"

namespace pantry::uapi {

class RemoteMemory final : public UserMemory {
 public:
  explicit RemoteMemory(pid_t pid) : pid_(pid) {}
  Result<> read(UserAddr from, void* to, std::size_t bytes) override;
  Result<> write(UserAddr to, const void* from, std::size_t bytes) override;

 private:
  const pid_t pid_;
};

}  // namespace pantry::uapi
