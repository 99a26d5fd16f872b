// SPDX-License-Identifier: MIT
//
// Sockets that carry descriptors and credentials, without the ancillary-data ceremony at each use.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>

#include "driver/gem/backing.h"
#include "uapi/server/protocol.h"

namespace pantry::uapi {

struct Received {
  // A message may be empty, but only where messages carry credentials (listen_at) is it told from
  // the end.
  enum class Kind { kMessage, kNothing, kHangUp } kind = Kind::kNothing;
  std::size_t bytes = 0;  // of the whole message: more than the buffer has if the rest is lost
  pid_t pid = 0;          // of the sender, stamped by the kernel; 0 when unknown
  driver::OwnedFd fd;     // at most one; any further ones are closed
};

// One message, without blocking.
Received receive(int socket, std::span<std::byte> into);
// One message with at most one descriptor (-1: none). False when the peer is gone or does not read.
// Never blocks, raises no SIGPIPE, allocates nothing.
bool send(int socket, std::span<const std::byte> message, int fd) noexcept;

// Where the socket of a kind is in the host's directory.
std::string path_of(const std::string& directory, wire::Socket kind);

// Listens at `path`; the caller has made the directory private. Non-blocking, close-on-exec.
// Connections inherit that their messages carry credentials: turned on after accept(), the first
// message might come before.
Result<driver::OwnedFd> listen_at(const std::string& path);
// Connects to `path`; waits for room in the listener's queue.
Result<driver::OwnedFd> connect_to(const std::string& path);
// A connection as if `far_end` had connected to a listener at `path`, where none is: so nobody else
// can connect there. The far end blocks. Messages to the near end carry credentials. `path` exists
// for a moment only. Any thread; one at a time.
struct SocketPair {
  driver::OwnedFd near_end;
  driver::OwnedFd far_end;
};
Result<SocketPair> pair_named(const std::string& path);
// Accepts one connection; none when nobody waits. The errno of the host: EMFILE and its like leave
// the connection waiting.
Result<driver::OwnedFd> accept_from(int listener);

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
};
Peer peer_of(int socket);
// Names a socket as long as it lives, whoever holds it; 0 for what is not a socket.
std::uint64_t cookie_of(int socket);

}  // namespace pantry::uapi
