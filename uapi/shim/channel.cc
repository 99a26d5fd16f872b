// SPDX-License-Identifier: MIT
#include "uapi/shim/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/uncancelled.h"

namespace pantry::shim {
namespace {

__thread Channel thread_channel __attribute__((tls_model("initial-exec")));
pthread_key_t at_thread_end;

bool usable(const Channel& channel) {
  return channel.fd >= 0 && channel.pid == getpid() && cookie_of(channel.fd) == channel.cookie;
}

// Only what is still ours: the number may have been reused by the client.
void drop(Channel& channel) {
  const Uncancelled whole;
  if (channel.fd >= 0 && cookie_of(channel.fd) == channel.cookie) close(channel.fd);
  channel.fd = -1;
}

// Yama, where it is, lets nobody but a process's ancestors into its memory, and not those of one
// whose parent has ended: the host has to be named. It has the same user, and without Yama may
// anyway.
void let_in_the_host_of(int fd) {
  ucred host = {};
  socklen_t size = sizeof host;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &host, &size) == 0 && host.pid > 0)
    prctl(PR_SET_PTRACER, static_cast<unsigned long>(host.pid), 0, 0, 0);
}

void open_channel(Channel& channel) {
  const Uncancelled whole;
  const int saved = errno;
  int fd = connect_to_host(wire::Socket::kChannel, OnExec::kClose);
  if (fd < 0) return;
  fd = move_out_of_the_way(fd);
  wire::Hello hello = {};
  if (!receive_hello(fd, hello)) {
    close(fd);
    errno = hello.error != 0 ? static_cast<int>(-hello.error) : ENODEV;
    return;
  }
  let_in_the_host_of(fd);
  channel.fd = fd;
  channel.pid = getpid();
  channel.cookie = cookie_of(fd);
  channel.id = hello.channel;
  errno = saved;
}

void end_of_thread(void* channel) { drop(*static_cast<Channel*>(channel)); }

// The process whose memory this is. A child of vfork() works in its parent's, as long as it runs no
// other program.
int owner = 0;

void child_of_fork() { __atomic_store_n(&owner, getpid(), __ATOMIC_RELAXED); }

__attribute__((constructor)) void at_load() {
  child_of_fork();
  pthread_atfork(nullptr, nullptr, child_of_fork);
}

// At the first use, which may come before this library's constructors: from those of another.
void make_key() { pthread_key_create(&at_thread_end, end_of_thread); }
pthread_once_t key_made = PTHREAD_ONCE_INIT;

// Whether the request that holds the thread's channel has been left by siglongjmp() out of a signal
// handler: stacks grow downwards, and what is called while it waits lies below it. From a stack for
// signal handlers nothing can be told.
bool is_behind(const void* here) {
  stack_t other = {};
  return reinterpret_cast<uintptr_t>(here) >= reinterpret_cast<uintptr_t>(thread_channel.holder) &&
         sigaltstack(nullptr, &other) == 0 && (other.ss_flags & SS_ONSTACK) == 0;
}

}  // namespace

bool owns_memory() {
  const int known = __atomic_load_n(&owner, __ATOMIC_RELAXED);
  return known == 0 || known == getpid();
}

uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

int move_out_of_the_way(int fd) {
  // A process's table of descriptors reaches to the highest, and each fork() copies it.
  constexpr rlim_t kCheap = 4096;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 64) return fd;
  const rlim_t most = limit.rlim_cur < kCheap ? limit.rlim_cur : kCheap;
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(most - most / 8));
  if (high < 0) return fd;
  close(fd);
  return high;
}

ChannelLease::ChannelLease() : channel_(&thread_channel) {
  if (thread_channel.use == Channel::Use::kBusy && owns_memory() && is_behind(this)) {
    // With it goes the answer that nobody waits for.
    const int saved = errno;
    drop(thread_channel);
    errno = saved;
    thread_channel.use = Channel::Use::kFree;
  }
  if (thread_channel.use == Channel::Use::kBusy || !owns_memory()) {
    channel_ = &own_;
    open_channel(own_);
    return;
  }
  thread_channel.holder = this;
  thread_channel.use = Channel::Use::kBusy;
  if (usable(thread_channel)) return;
  const int saved = errno;
  drop(thread_channel);
  errno = saved;
  open_channel(thread_channel);
  pthread_once(&key_made, make_key);
  pthread_setspecific(at_thread_end, &thread_channel);
}

ChannelLease::~ChannelLease() {
  if (channel_ == &own_)
    drop(own_);
  else
    thread_channel.use = Channel::Use::kFree;
}

}  // namespace pantry::shim
