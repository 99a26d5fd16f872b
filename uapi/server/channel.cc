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
    answered_ = true;
  }
  std::array<std::byte, sizeof reply + wire::kMostCarried> message;
  wire::Reply sent = reply;
  sent.processor = static_cast<std::uint64_t>(::sched_getcpu());
  std::memcpy(message.data(), &sent, sizeof sent);
  if (!argument.empty())
    std::memcpy(message.data() + sizeof reply, argument.data(), argument.size());
  const std::span whole = std::span(message).first(sizeof reply + argument.size());
  if (send(socket(), whole, fd) || fd < 0) return;
  // Too many descriptors of this user's are on their way, or there was no memory for one more.
  sent.result = negated(Errno::kMFile);
  sent.fd = wire::Reply::Fd::kNone;
  std::memcpy(message.data(), &sent, sizeof sent);
  send(socket(), whole, -1);
}

bool Channel::begin(const Asked& asked) {
  MutexLock lock(mutex_);
  if (!answered_) return false;
  answered_ = false;
  cancelled_ = cancelled_early_ == asked.token;
  cancelled_early_.reset();
  latest_ = asked;
  return true;
}

void Channel::cancelled(std::uint64_t token) {
  MutexLock lock(mutex_);
  // Two threads of the server may take the request and what cancels it in either order.
  if (latest_.token == token)
    cancelled_ = true;
  else
    cancelled_early_ = token;
}

bool Channel::given_up(std::uint64_t token) {
  MutexLock lock(mutex_);
  // The thread may have had its answer, and asked again.
  return latest_.token == token && (cancelled_ || closed_);
}

Channel::Asked Channel::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  return latest_;
}

}  // namespace pantry::uapi
