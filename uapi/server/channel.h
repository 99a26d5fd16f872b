// SPDX-License-Identifier: MIT
//
// Where one thread of a client gets its replies. Kept alive by its connection and by every request
// that will be answered through it.
#pragma once

#include <span>

#include "base/mutex.h"
#include "base/ref.h"
#include "uapi/server/protocol.h"
#include "uapi/server/socket.h"

namespace pantry::uapi {

class Connection;

class Channel final : public RefCounted {
 public:
  Channel(driver::OwnedFd socket, std::uint64_t id, pid_t pid)
      : socket_(std::move(socket)), id_(id), pid_(pid) {}

  int socket() const { return socket_.get(); }
  std::uint64_t id() const { return id_; }
  // The only process that may ask for replies here.
  pid_t pid() const { return pid_; }

  // A request that is to be answered here, and the connection it came over: where that was, as it
  // may be gone, and its number.
  struct Asked {
    Connection* over = nullptr;
    std::uint64_t connection = 0;
    std::uint64_t token = 0;
  };
  // A thread of the server begins to serve one. False: the one before it is still being served.
  bool begin(const Asked& asked);
  // It has been answered, or waits. True: it has been cancelled, perhaps before it began to wait.
  bool end(std::uint64_t token);
  void cancelled(std::uint64_t token);
  // The channel's thread is gone. What it asked last.
  Asked close();

  // Any thread. A client that is gone or does not read loses the reply; nobody waits for it. `fd`
  // -1: none. `argument`: at most wire::kMostCarried bytes.
  void reply(const wire::Reply& reply, int fd, std::span<const std::byte> argument = {}) noexcept;

 private:
  const driver::OwnedFd socket_;
  const std::uint64_t id_;
  const pid_t pid_;
  Mutex mutex_;
  Asked latest_ PANTRY_GUARDED_BY(mutex_);
  bool being_served_ PANTRY_GUARDED_BY(mutex_) = false;
  bool cancelled_ PANTRY_GUARDED_BY(mutex_) = false;  // the latest
  bool closed_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace pantry::uapi
