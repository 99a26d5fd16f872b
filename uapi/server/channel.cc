// SPDX-License-Identifier: MIT
#include "uapi/server/channel.h"

#include <array>
#include <cstring>

#include "base/check.h"

namespace pantry::uapi {

void Channel::reply(const wire::Reply& reply, int fd,
                    std::span<const std::byte> argument) noexcept {
  PANTRY_CHECK(argument.size() <= wire::kMostCarried);
  std::array<std::byte, sizeof reply + wire::kMostCarried> message;
  std::memcpy(message.data(), &reply, sizeof reply);
  if (!argument.empty())
    std::memcpy(message.data() + sizeof reply, argument.data(), argument.size());
  send(socket_.get(), std::span(message).first(sizeof reply + argument.size()), fd);
}

}  // namespace pantry::uapi
