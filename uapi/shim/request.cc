// SPDX-License-Identifier: MIT
#include "uapi/shim/request.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uapi/shim/channel.h"

namespace pantry::shim {
namespace {

uint64_t token_counter = 0;

// Unique among the processes that may share a descriptor.
uint64_t next_token() {
  return static_cast<uint64_t>(getpid()) << 40 |
         (__atomic_fetch_add(&token_counter, 1, __ATOMIC_RELAXED) & 0xffffffffff);
}

union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

bool send_request(int fd, const wire::Request& request, int attached) {
  iovec data = {const_cast<wire::Request*>(&request), sizeof request};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  Control control = {};
  if (attached >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof attached);
    memcpy(CMSG_DATA(part), &attached, sizeof attached);
  }
  for (;;) {
    if (sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof request)) return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // The client made the descriptor non-blocking; DRM ioctls do not care.
      pollfd writable = {fd, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
}

// The reply to `token`, or kInterrupted by a signal, or kGone.
enum class Wait { kReplied, kInterrupted, kGone };
Wait receive_reply(int channel, uint64_t token, Answer& answer) {
  for (;;) {
    iovec data = {&answer.reply, sizeof answer.reply};
    msghdr message = {};
    Control control = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    const ssize_t bytes = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    if (bytes < 0 && errno == EINTR) return Wait::kInterrupted;
    if (bytes != static_cast<ssize_t>(sizeof answer.reply)) return Wait::kGone;
    const cmsghdr* const part = CMSG_FIRSTHDR(&message);
    int fd = -1;
    if (part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
      memcpy(&fd, CMSG_DATA(part), sizeof fd);
    if (answer.reply.token != token) {
      if (fd >= 0) close(fd);
      continue;
    }
    answer.fd = fd;
    return Wait::kReplied;
  }
}

}  // namespace

Answer ask_host(int fd, wire::Request request, int attached) {
  const int saved = errno;
  Answer answer;
  answer.result = -ENODEV;
  const ChannelLease channel;
  if (!channel.ok()) answer.result = -errno;
  if (channel.ok()) {
    request.magic = wire::kMagic;
    request.channel = channel.id();
    request.token = next_token();
    Wait wait = send_request(fd, request, attached)
                    ? receive_reply(channel.fd(), request.token, answer)
                    : Wait::kGone;
    if (wait == Wait::kInterrupted) {
      wire::Request cancel = request;
      cancel.ask = wire::Ask::kCancel;
      send_request(fd, cancel, -1);
      do {
        wait = receive_reply(channel.fd(), request.token, answer);
      } while (wait == Wait::kInterrupted);
    }
    if (wait == Wait::kReplied) {
      answer.result = answer.reply.result;
      if (answer.reply.fd != wire::Reply::Fd::kNone && answer.fd < 0) answer.result = -EMFILE;
    }
  }
  errno = saved;
  return answer;
}

}  // namespace pantry::shim
