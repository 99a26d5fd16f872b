// SPDX-License-Identifier: MIT
//
// A request of a client from its arrival to its reply. Owns itself: it is destroyed by answering,
// which happens exactly once, on whatever thread completes the ioctl. Only an ioctl that does not
// wait may carry a new descriptor.
#pragma once

#include "uapi/server/client_memory.h"
#include "uapi/server/incoming.h"
#include "uapi/server/server.h"

namespace pantry::uapi {

class RequestInFlight final : public IoctlCompletion, public Caller {
 public:
  RequestInFlight(Server& server, Ref<Channel> channel, const Incoming& incoming);

  UserMemory& memory() { return memory_; }
  driver::Credentials credentials() override;
  void on_ioctl_done(IoctlReply reply) override;

 private:
  ~RequestInFlight() = default;

  Server& server_;
  const Ref<Channel> channel_;
  ClientMemory memory_;
  const std::uint64_t token_;
  ServerObserver::Ioctl observed_;
};

}  // namespace pantry::uapi
