// SPDX-License-Identifier: MIT
#include "uapi/shim/request.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uapi/shim/channel.h"
#include "uapi/shim/host.h"
#include "uapi/shim/uncancelled.h"

namespace pantry::shim {
namespace {

uint64_t token_counter = 0;

// Unique among the processes that may share a descriptor.
uint64_t next_token() {
  return static_cast<uint64_t>(getpid()) << 40 |
         (__atomic_fetch_add(&token_counter, 1, __ATOMIC_RELAXED) & 0xffffffffff);
}

// Past libc: there they are cancellation points, which ioctl() is not, and a sanitizer in the
// client would take the look at a bad pointer for the client's own.
ssize_t send_message(int fd, const msghdr& message) {
  return syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
}
ssize_t receive_message(int fd, msghdr& message, int flags) {
  return syscall(SYS_recvmsg, fd, &message, MSG_CMSG_CLOEXEC | flags);
}

union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

// The part of the client's memory that goes with a request, and the answer back into.
struct Argument {
  void* at;
  size_t bytes;
};

bool send_request(int fd, const wire::Request& request, int attached, Argument& argument) {
  iovec data[] = {{const_cast<wire::Request*>(&request), sizeof request},
                  {argument.at, argument.bytes}};
  msghdr message = {};
  message.msg_iov = data;
  message.msg_iovlen = argument.bytes != 0 ? 2 : 1;
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
    if (send_message(fd, message) >= 0) return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // The client made the descriptor non-blocking; DRM ioctls do not care.
      pollfd writable = {fd, POLLOUT, 0};
      syscall(SYS_ppoll, &writable, 1, nullptr, nullptr, 0);
    } else if (errno == EFAULT && argument.bytes != 0) {
      argument.bytes = 0;
      message.msg_iovlen = 1;
    } else if (errno != EINTR) {
      return false;
    }
  }
}

// Looks for a reply on the channel for a moment, and what recvmsg then said; -1 with EAGAIN when
// none came. A failure leaves `message` as it was.
ssize_t poll_for_message(Channel& channel, msghdr& message) {
  const int64_t end = wire::poll_clock_ns() + wire::kPollNs;
  ssize_t bytes = -1;
  do {
    bytes = receive_message(channel.fd, message, MSG_DONTWAIT);
  } while (bytes < 0 && errno == EAGAIN && wire::poll_clock_ns() < end);
  if (bytes < 0 && errno == EAGAIN)
    channel.polling.in_vain();
  else
    channel.polling.found();
  return bytes;
}

// How to wait for the reply.
enum class Patience { kSleep, kPoll };

// The reply to `token`, or kInterrupted by a signal, or kFault: it could not be written into the
// argument and is lost; or kGone.
enum class Wait { kReplied, kInterrupted, kFault, kGone };
Wait receive_reply(Channel& channel, Patience patience, uint64_t token, Answer& answer,
                   const Argument& argument) {
  for (;;) {
    iovec data[] = {{&answer.reply, sizeof answer.reply}, {argument.at, argument.bytes}};
    msghdr message = {};
    Control control = {};
    message.msg_iov = data;
    message.msg_iovlen = argument.bytes != 0 ? 2 : 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    const bool polled = patience == Patience::kPoll;
    patience = Patience::kSleep;
    ssize_t bytes = polled ? poll_for_message(channel, message) : -1;
    if (!polled || (bytes < 0 && errno == EAGAIN)) bytes = receive_message(channel.fd, message, 0);
    if (bytes < 0 && errno == EINTR) return Wait::kInterrupted;
    if (bytes < 0 && errno == EFAULT) return Wait::kFault;
    if (bytes < static_cast<ssize_t>(sizeof answer.reply)) return Wait::kGone;
    const cmsghdr* const part = CMSG_FIRSTHDR(&message);
    int fd = -1;
    if (part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
      memcpy(&fd, CMSG_DATA(part), sizeof fd);
    if (answer.reply.token != token) {
      const Uncancelled whole;
      if (fd >= 0) close(fd);
      continue;
    }
    answer.fd = fd;
    channel.host_processor = answer.reply.processor;
    return Wait::kReplied;
  }
}

// On the processor of the host's thread we would only keep it from answering.
Patience patience_for(const wire::Request& request, Channel& channel) {
  const bool at_once = request.ask != wire::Ask::kIoctl || wire::answered_at_once(request.command);
  return at_once && channel.host_processor != request.processor && channel.polling.worth_while()
             ? Patience::kPoll
             : Patience::kSleep;
}

// The client may have closed the descriptor meanwhile, and the number be something else's.
void tell(int fd, wire::Ask ask, wire::Request request) {
  if (socket_of(fd) == kForeign) return;
  request.ask = ask;
  Argument nothing = {};
  send_request(fd, request, -1, nothing);
}

}  // namespace

Answer ask_host(int fd, wire::Request request, int attached, unsigned carried) {
  const int saved = errno;
  Answer answer;
  answer.result = -ENODEV;
  ChannelLease channel;
  if (!channel.ok()) answer.result = -errno;
  if (channel.ok()) {
    request.magic = wire::kMagic;
    request.channel = channel.id();
    request.token = next_token();
    request.processor = static_cast<uint64_t>(sched_getcpu());
    Argument argument = {reinterpret_cast<void*>(request.argument), carried};
    Wait wait = send_request(fd, request, attached, argument)
                    ? receive_reply(*channel, patience_for(request, *channel), request.token,
                                    answer, argument)
                    : Wait::kGone;
    if (wait == Wait::kInterrupted) {
      tell(fd, wire::Ask::kCancel, request);
      do {
        wait = receive_reply(*channel, Patience::kSleep, request.token, answer, argument);
      } while (wait == Wait::kInterrupted);
    }
    if (wait == Wait::kReplied) {
      answer.result = answer.reply.result;
      if (answer.reply.fd != wire::Reply::Fd::kNone && answer.fd < 0) answer.result = -EMFILE;
    } else if (wait == Wait::kFault) {
      answer.result = -EFAULT;
      tell(fd, wire::Ask::kUnwritten, request);
    }
  }
  errno = saved;
  return answer;
}

}  // namespace pantry::shim
