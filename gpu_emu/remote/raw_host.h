// SPDX-License-Identifier: MIT
//
// For tests and fuzzers: the socket of a host that sends any bytes at all. Both calls read and drop
// what the device answers, so that it never waits for room.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

namespace pantry::emu {

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
