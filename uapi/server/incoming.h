// SPDX-License-Identifier: MIT
//
// One message of a client, as it arrived.
#pragma once

#include <array>
#include <span>

#include "uapi/server/protocol.h"
#include "uapi/server/socket.h"

namespace pantry::uapi {

struct Incoming {
  enum class Kind { kRequest, kNothing, kHangUp } kind = Kind::kNothing;
  struct Message {
    wire::Request request;
    std::array<std::byte, wire::kMostCarried> carried;
  } message;
  std::size_t carried_bytes = 0;
  pid_t pid = 0;
  driver::OwnedFd fd;

  const wire::Request& request() const { return message.request; }
  // An ioctl's argument, where it came with the request.
  std::span<const std::byte> carried() const {
    return std::span(message.carried).first(carried_bytes);
  }
};
static_assert(sizeof(Incoming::Message) == sizeof(wire::Request) + wire::kMostCarried);

// Reads one message. Nonsense is logged and as nothing: write() to a device node is a client's
// mistake, which must not cost others who hold the node their answers.
Incoming receive_request(int socket);

}  // namespace pantry::uapi
