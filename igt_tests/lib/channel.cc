// SPDX-License-Identifier: MIT

#include "igt_tests/lib/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/clock.h"

namespace gpu {
namespace {

// One byte, and a descriptor beside it.
struct Parcel {
  Parcel() {
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
  }

  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
};

}  // namespace

Channel::Channel() {
  int ends[2] = {-1, -1};
  igt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  in_ = UniqueFd(ends[0]);
  out_ = UniqueFd(ends[1]);
}

void Channel::send(int fd) const {
  Parcel parcel;
  cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  igt_assert_eq(sendmsg(out_.get(), &parcel.message, 0), 1);
}

UniqueFd Channel::receive() const {
  pollfd entry{in_.get(), POLLIN, 0};
  igt_assert_eq(poll(&entry, 1, static_cast<int>(kPatience / kMillisecond)), 1);
  Parcel parcel;
  igt_assert_eq(recvmsg(in_.get(), &parcel.message, MSG_CMSG_CLOEXEC), 1);
  const cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
  igt_assert(header != nullptr && header->cmsg_type == SCM_RIGHTS);
  int fd = -1;
  memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return UniqueFd(fd);
}

}  // namespace gpu
