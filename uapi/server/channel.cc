// SPDX-License-Identifier: MIT
#include "uapi/server/channel.h"

#include <sched.h>

#include <array>
#include <cstring>

#include "base/check.h"

namespace pantry::uapi {

void Channel::reply(const wire::Reply& reply, int fd,
                    std::span<const std::byte> argument) noexcept {
  PANTRY_CHECK(argument.size() <= wire::kMostCarried);
  std::array<std::byte, sizeof reply + wire::kMostCarried> message;
  wire::Reply sent = reply;
  sent.processor = static_cast<std::uint64_t>(::sched_getcpu());
  std::memcpy(message.data(), &sent, sizeof sent);
  if (!argument.empty())
    std::memcpy(message.data() + sizeof reply, argument.data(), argument.size());
  send(socket_.get(), std::span(message).first(sizeof reply + argument.size()), fd);
}

}  // namespace pantry::uapi
