// SPDX-License-Identifier: MIT
//
// One ioctl while it is being handled: the kernel's copy of the argument struct, the client it
// comes from, and what the handler leaves behind besides its result: a new descriptor, or a wait.
//
// A handler that has to wait sets `wait` and returns success; the session runs the wait without a
// thread and calls `finish`, whose result is the ioctl's. The argument is copied back to the client
// afterwards, also on failure.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>

#include "base/check.h"
#include "driver/sync/syncobj_wait.h"
#include "uapi/session.h"

namespace pantry::uapi {

// What belongs to the open file but is not the driver's: choices made by ioctls of this file.
struct FileSettings {
  // SET_USER_MMIO_OFFSET; the default is that of a 64-bit process.
  std::atomic<std::uint64_t> user_mmio_offset;
};

struct Call;

struct PendingWait {
  driver::SyncobjWaitArgs args;
  // `wait` is complete, with `result`.
  std::function<Result<>(Call& call, Result<std::uint32_t> result, const driver::SyncobjWait& wait)>
      finish;
};

struct Call {
  driver::File& file;
  const Features& features;
  FileSettings& settings;
  UserMemory& memory;
  UserAddr user_argument;  // where the argument struct lies in the client
  std::span<std::byte>
      argument;  // the kernel's copy: at least as large as the handler's struct, 8-byte aligned
  FdObject fd;
  std::optional<NewFd> new_fd;
  std::optional<PendingWait> wait;
  Caller* caller = nullptr;

  driver::Credentials credentials() const {
    return caller ? caller->credentials() : file.credentials();
  }
  // The argument as the struct that the handler's table entry names.
  template <class T>
  T& arg() {
    PANTRY_CHECK(argument.size() >= sizeof(T));
    return *reinterpret_cast<T*>(argument.data());
  }
};

using IoctlHandler = Result<> (*)(Call& call);

}  // namespace pantry::uapi
