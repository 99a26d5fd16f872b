// SPDX-License-Identifier: MIT
#include "uapi/server/channel.h"

namespace pantry::uapi {

void Channel::reply(const wire::Reply& reply, int fd) noexcept {
  send(socket_.get(), std::as_bytes(std::span(&reply, 1)), fd);
}

}  // namespace pantry::uapi
