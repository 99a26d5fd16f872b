// SPDX-License-Identifier: MIT
//
// A client's memory while one request of its is served. Where the argument came with the request,
// it is read from there, whatever the client has made of it since, and what is to go back into it
// is kept for the reply; all else is the process's memory.
//
// For one thread at a time.
#pragma once

#include <array>
#include <span>

#include "uapi/machine/process_memory.h"
#include "uapi/server/protocol.h"

namespace pantry::uapi {

class ClientMemory final : public UserMemory {
 public:
  // `carried`: the bytes at `argument`, at most wire::kMostCarried; none if they did not come.
  ClientMemory(pid_t pid, UserAddr argument, std::span<const std::byte> carried);

  Result<> read(UserAddr from, void* to, std::size_t bytes) override;
  Result<> write(UserAddr to, const void* from, std::size_t bytes) override;

  // What the first bytes of the argument are to be; nothing when it stays as it is.
  std::span<const std::byte> answer() const { return std::span(carried_).first(answered_); }

 private:
  ProcessMemory process_;
  const UserAddr argument_;
  const std::size_t size_;
  std::size_t answered_ = 0;
  std::array<std::byte, wire::kMostCarried> carried_;
};

}  // namespace pantry::uapi
