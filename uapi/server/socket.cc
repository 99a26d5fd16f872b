// SPDX-License-Identifier: MIT
#include "uapi/server/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/mutex.h"

namespace pantry::uapi {
namespace {

constexpr int kBacklog = 128;

Error refused(const char* what, const std::string& path) {
  const Errno error = static_cast<Errno>(errno);
  log_error("uapi/server", "{} {}: {}", what, path, name_of(error));
  return Error(error);
}

bool address_of(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return true;
}

}  // namespace

Received receive(int socket, std::span<std::byte> into) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(8 * sizeof(int))];
  iovec data{into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t bytes = 0;
  // A peer that has closed its end before it had read everything is told of once; what it had sent
  // is still there, and then the end.
  do {
    bytes = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
  } while (bytes < 0 && (errno == EINTR || errno == ECONNRESET));
  Received received;
  if (bytes < 0) {
    received.kind = errno == EAGAIN || errno == EWOULDBLOCK ? Received::Kind::kNothing
                                                            : Received::Kind::kHangUp;
    return received;
  }
  received.kind = bytes == 0 ? Received::Kind::kHangUp : Received::Kind::kMessage;
  received.bytes = static_cast<std::size_t>(bytes);
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials;
      std::memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
      received.pid = credentials.pid;
      // An empty message has a sender, the end of the stream has none.
      received.kind = Received::Kind::kMessage;
    } else if (part->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
        // A client's socket must not keep us in close() until its data are out.
        const linger none{};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        driver::OwnedFd owned(fd);
        if (!received.fd) received.fd = std::move(owned);
      }
    }
  }
  return received;
}

bool send(int socket, std::span<const std::byte> bytes, int fd) noexcept {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes.size());
}

Result<driver::OwnedFd> listen_at(const std::string& path) {
  sockaddr_un address;
  if (!address_of(path, address)) return refused("listen at", path);
  driver::OwnedFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  // The mode of the file that bind makes.
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
      ::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0)
    return refused("listen at", path);
  return fd;
}

Result<driver::OwnedFd> connect_to(const std::string& path) {
  sockaddr_un address;
  if (!address_of(path, address)) return refused("connect to", path);
  driver::OwnedFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return refused("connect to", path);
  return fd;
}

std::string path_of(const std::string& directory, wire::Socket kind) {
  return directory + "/" + wire::kSocketNames[static_cast<std::uint32_t>(kind)];
}

// A socket that is connected already may still be given a name, which its peer sees; it keeps it
// when the file is gone.
Result<SocketPair> pair_named(const std::string& path) {
  // Each has the name for a moment, and all threads use the same.
  static Mutex naming;
  sockaddr_un address;
  if (!address_of(path, address)) return refused("a connection named", path);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return refused("a connection named", path);
  SocketPair pair{driver::OwnedFd(ends[0]), driver::OwnedFd(ends[1])};
  const int on = 1;
  MutexLock lock(naming);
  ::unlink(path.c_str());
  if (::setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
      ::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 || ::fchmod(ends[0], 0600) != 0 ||
      ::bind(ends[0], reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return refused("a connection named", path);
  ::unlink(path.c_str());
  return pair;
}

Result<driver::OwnedFd> accept_from(int listener) {
  driver::OwnedFd accepted(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  // A client that gave up before it was accepted is as good as none.
  if (!accepted && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
    return Error(static_cast<Errno>(errno));
  return accepted;
}

Peer peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return {credentials.pid, credentials.uid};
}

std::uint64_t cookie_of(int socket) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return 0;
  return cookie;
}

}  // namespace pantry::uapi
