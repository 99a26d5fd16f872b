// SPDX-License-Identifier: MIT
#include "uapi/shim/host.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace pantry::shim {
namespace {

// Copied at the first use, since a client may change its environment.
char directory_copy[sizeof(sockaddr_un::sun_path)];
unsigned directory_size = 0;
int known = 0;  // an integer, as the atomic built-ins want it

void learn_directory() {
  if (__atomic_load_n(&known, __ATOMIC_ACQUIRE) != 0) return;
  const char* const value = getenv(wire::kDirectoryVariable);
  // Room for the longest socket name behind it.
  if (value && strlen(value) + 16 < sizeof directory_copy) {
    memcpy(directory_copy, value, strlen(value) + 1);
    directory_size = static_cast<unsigned>(strlen(value));
  }
  __atomic_store_n(&known, 1, __ATOMIC_RELEASE);
}

// The user that listens at the other end; nobody when that cannot be told.
uid_t owner_of(int fd) {
  ucred peer = {};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.uid
                                                                    : static_cast<uid_t>(-1);
}

void note_descriptor() {
  if (!may_hold_descriptors()) __atomic_store_n(&seen_descriptor, 1, __ATOMIC_RELAXED);
}

__attribute__((constructor)) void at_load() { learn_directory(); }

}  // namespace

int seen_descriptor = 0;

const char* directory() {
  learn_directory();
  return directory_size != 0 ? directory_copy : nullptr;
}

unsigned directory_length() {
  learn_directory();
  return directory_size;
}

wire::Socket socket_of(int fd) {
  if (fd < 0 || !directory()) return kForeign;
  const int saved = errno;
  sockaddr_un address;
  socklen_t size = sizeof address;
  const int result = getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size);
  errno = saved;
  if (result != 0 || address.sun_family != AF_UNIX || size <= offsetof(sockaddr_un, sun_path))
    return kForeign;
  const unsigned length = directory_length();
  if (strncmp(address.sun_path, directory(), length) != 0 || address.sun_path[length] != '/')
    return kForeign;
  for (unsigned i = 0; i < wire::kSocketCount; ++i)
    if (strcmp(address.sun_path + length + 1, wire::kSocketNames[i]) == 0) {
      note_descriptor();
      return static_cast<wire::Socket>(i);
    }
  return kForeign;
}

int connect_to_host(wire::Socket socket, OnExec on_exec) {
  note_descriptor();
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, directory(), directory_length());
  address.sun_path[directory_length()] = '/';
  strcpy(address.sun_path + directory_length() + 1,
         wire::kSocketNames[static_cast<unsigned>(socket)]);
  const int fd =
      ::socket(AF_UNIX, SOCK_SEQPACKET | (on_exec == OnExec::kClose ? SOCK_CLOEXEC : 0), 0);
  if (fd < 0) return -1;
  int result = 0;
  do {
    result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EISCONN) result = 0;
  // Whoever else has put a socket there is no host of ours.
  if (result == 0 && owner_of(fd) != geteuid()) {
    close(fd);
    errno = EACCES;
    return -1;
  }
  if (result == 0) return fd;
  // The host is gone: as if the device had been.
  close(fd);
  errno = ENODEV;
  return -1;
}

bool receive_hello(int fd, wire::Hello& hello) {
  ssize_t bytes = 0;
  do {
    bytes = recv(fd, &hello, sizeof hello, 0);
  } while (bytes < 0 && errno == EINTR);
  if (bytes != static_cast<ssize_t>(sizeof hello)) hello.error = 0;
  return bytes == static_cast<ssize_t>(sizeof hello) && hello.error == 0;
}

}  // namespace pantry::shim
