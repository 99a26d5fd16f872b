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
  {
    MutexLock lock(mutex_);
    if (latest_.token == reply.token) being_served_ = false;
  }
  std::array<std::byte, sizeof reply + wire::kMostCarried> message;
  wire::Reply sent = reply;
  sent.processor = static_cast<std::uint64_t>(::sched_getcpu());
  std::memcpy(message.data(), &sent, sizeof sent);
  if (!argument.empty())
    std::memcpy(message.data() + sizeof reply, argument.data(), argument.size());
  send(socket_.get(), std::span(message).first(sizeof reply + argument.size()), fd);
}

bool Channel::begin(const Asked& asked) {
  MutexLock lock(mutex_);
  if (being_served_) return false;
  being_served_ = true;
  cancelled_ = false;
  latest_ = asked;
  return true;
}

bool Channel::end(std::uint64_t token) {
  MutexLock lock(mutex_);
  // The thread may have had its answer, and asked again.
  if (latest_.token != token) return false;
  being_served_ = false;
  return cancelled_ || closed_;
}

void Channel::cancelled(std::uint64_t token) {
  MutexLock lock(mutex_);
  if (latest_.token == token) cancelled_ = true;
}

Channel::Asked Channel::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  return latest_;
}

}  // namespace pantry::uapi
