// SPDX-License-Identifier: MIT
//
// The directory of a host that outlives its clients (protocol.h), where strangers may try to put
// something else: it belongs to this user alone, and nothing of it is a symbolic link. Who connects
// also asks the kernel who listens (SO_PEERCRED), so a path that is exchanged after it was looked
// at gains nothing.
#pragma once

#include <string>

#include "driver/gem/backing.h"

namespace pantry::uapi {

class SocketDirectory {
 public:
  // Makes `path` (absolute, not ending in a slash), or takes over what a host that is gone has left
  // there. EBUSY: a host is serving there. EACCES: it is a link, no directory, another user's, or
  // others may enter it. ENAMETOOLONG, and what the file system says.
  static Result<SocketDirectory> create(const std::string& path);
  SocketDirectory(SocketDirectory&&) noexcept = default;
  SocketDirectory& operator=(SocketDirectory&&) = delete;
  // Removes what create() and a Server have made, and nothing else.
  ~SocketDirectory();

  const std::string& path() const { return path_; }

 private:
  SocketDirectory(std::string path, driver::OwnedFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  driver::OwnedFd lock_;  // held while we serve; none: moved from
};

// For whoever is about to connect. ENOENT: nobody serves there. EACCES: as for create(), or a
// socket of it is not this user's, or not listened to by this user.
Result<> check_host(const std::string& path);

// $XDG_RUNTIME_DIR/pantry-host, or /tmp/pantry-host-UID.
std::string default_host_path();

}  // namespace pantry::uapi
