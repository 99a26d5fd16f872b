// SPDX-License-Identifier: MIT
#include "uapi/server/incoming.h"

#include "base/log.h"

namespace pantry::uapi {
namespace {

bool is_request(const Received& received, const wire::Request& request) {
  if (received.bytes < sizeof(wire::Request) || request.magic != wire::kMagic || received.pid == 0)
    return false;
  const std::size_t carried = received.bytes - sizeof(wire::Request);
  return carried == 0 || (request.ask == wire::Ask::kIoctl && carried <= wire::kMostCarried);
}

}  // namespace

Incoming receive_request(int socket) {
  Incoming incoming;
  Received received = receive(socket, std::as_writable_bytes(std::span(&incoming.message, 1)));
  if (received.kind == Received::Kind::kNothing) return incoming;
  const wire::Request& request = incoming.request();
  if (received.kind == Received::Kind::kHangUp) {
    incoming.kind = Incoming::Kind::kHangUp;
  } else if (!is_request(received, request)) {
    log_client("uapi/server", "process {}: a message of {} bytes that is no request", received.pid,
               received.bytes);
  } else if (request.ask == wire::Ask::kUnwritten) {
    log_client("uapi/server", "process {}: ioctl {:#x}: the argument at {:#x} cannot be written",
               received.pid, request.command, request.argument);
  } else {
    incoming.kind = Incoming::Kind::kRequest;
    incoming.carried_bytes = received.bytes - sizeof(wire::Request);
    incoming.pid = received.pid;
    incoming.fd = std::move(received.fd);
  }
  return incoming;
}

}  // namespace pantry::uapi
