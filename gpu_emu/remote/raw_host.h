// SPDX-License-Identifier: MIT
//
// For tests and fuzzers: the socket of a host that sends any bytes at all, and what it may ask for.
// Both calls read and drop what the device answers, so that it never waits for room.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "gpu_emu/datasheet/gpu_control.h"

namespace pantry::emu {

// Offsets at which random accesses make things happen.
inline constexpr std::uint32_t kEventfulRegisters[] = {
    datasheet::gpu_control::kIrqRawstat.offset,
    datasheet::gpu_control::kIrqClear.offset,
    datasheet::gpu_control::kIrqMask.offset,
    datasheet::gpu_control::kCommand.offset,
    datasheet::gpu_control::kL2PwrOn.offset,
    datasheet::gpu_control::kL2PwrOff.offset,
    datasheet::gpu_control::kMcuControl.offset,
    datasheet::gpu_control::kShaderPwrOn.offset,
    0x1000,
    0x1004,
    0x1008,  // JOB_INT
    0x2000,
    0x2004,
    0x2008,  // MMU_INT
};

// Reads what comes until nothing does. False: the device hung up.
inline bool drain(int socket) {
  char bytes[4096];
  for (;;) {
    const ssize_t got = ::recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN;
  }
}

// All of it. False: the device hung up before.
inline bool send_all(int socket, const void* from, std::size_t bytes) {
  const auto* at = static_cast<const char*>(from);
  while (bytes != 0) {
    const ssize_t sent = ::send(socket, at, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      at += sent;
      bytes -= static_cast<std::size_t>(sent);
    } else if (errno != EAGAIN) {
      return false;
    }
    if (!drain(socket)) return false;
  }
  return true;
}

}  // namespace pantry::emu
