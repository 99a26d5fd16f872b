// SPDX-License-Identifier: MIT
//
// Where one thread of a client gets its replies. Kept alive, and charged to the client, by its
// connection and by the request that will be answered through it: one at a time.
#pragma once

#include <optional>
#include <span>

#include "base/mutex.h"
#include "base/ref.h"
#include "driver/kernel/quota.h"
#include "uapi/server/protocol.h"
#include "uapi/server/socket.h"

namespace pantry::uapi {

class Connection;

class Channel final : public RefCounted {
 public:
  Channel(driver::Held<driver::OwnedFd> socket, std::uint64_t id, pid_t pid)
      : socket_(std::move(socket)), id_(id), pid_(pid) {}

  int socket() const { return socket_.object.get(); }
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
  // Before one is served. False: the one before it has no answer yet.
  bool begin(const Asked& asked);
  // Nobody waits for it: perhaps it has not begun yet, or only begins to wait.
  void cancelled(std::uint64_t token);
  // Once it has been answered, or waits: whether it has been cancelled meanwhile.
  bool given_up(std::uint64_t token);
  // The channel's thread is gone. What it asked last.
  Asked close();

  // Any thread. A client that is gone or does not read loses the reply; nobody waits for it. `fd`
  // -1: none; one that the kernel does not take is EMFILE. `argument`: at most wire::kMostCarried
  // bytes.
  void reply(const wire::Reply& reply, int fd, std::span<const std::byte> argument = {}) noexcept;

 private:
  const driver::Held<driver::OwnedFd> socket_;
  const std::uint64_t id_;
  const pid_t pid_;
  Mutex mutex_;
  Asked latest_ PANTRY_GUARDED_BY(mutex_);
  bool answered_ PANTRY_GUARDED_BY(mutex_) = true;                          // the latest
  bool cancelled_ PANTRY_GUARDED_BY(mutex_) = false;                        // the latest
  std::optional<std::uint64_t> cancelled_early_ PANTRY_GUARDED_BY(mutex_);  // before it began
  bool closed_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace pantry::uapi
