// SPDX-License-Identifier: MIT
//
// epoll with descriptors of ours. Where the kernel would say too much of a sync_file or a device
// node, it is not asked. A dma-buf is watched by way of sync_files of its fences, which are put
// into the client's set beside it and bring the kernel's wait to an end: then the host is asked,
// and fences that came in meanwhile are watched anew. What a set is told of a dma-buf is known in
// this process and its children only; a program that gets the set by exec or SCM_RIGHTS finds the
// buffer not ready.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uapi/shim/channel.h"
#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/readiness.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, epoll_ctl, int, int, int, epoll_event*)
PANTRY_REAL(int, epoll_wait, int, epoll_event*, int, int)
PANTRY_REAL(int, epoll_pwait, int, epoll_event*, int, int, const sigset_t*)
PANTRY_REAL(int, epoll_pwait2, int, epoll_event*, int, const timespec*, const sigset_t*)

constexpr uint32_t kManner = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP;
constexpr uint32_t kEach[] = {POLLIN, POLLOUT};

// A dma-buf in a set. Its address is the data of all that stands for it there, and no client's own.
struct Watch {
  Watch* next;
  int epoll;
  int fd;  // what the client calls it
  uint64_t cookie;
  uint32_t events;
  epoll_data_t data;
  uint64_t answer;  // to which wait of this process it was last looked at
  int fences[2];    // sync_files, of the events in kEach
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Watch* watches = nullptr;  // those in use
Watch* spare = nullptr;

bool has_watches() { return __atomic_load_n(&watches, __ATOMIC_ACQUIRE) != nullptr; }

uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

// Not from the heap, which the client may have replaced. Null: no memory.
Watch* take_spare() {
  if (!spare) {
    constexpr size_t kBytes = 4096;
    void* const page =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return nullptr;
    auto* const all = static_cast<Watch*>(page);
    for (size_t i = 0; i < kBytes / sizeof *all; ++i) {
      all[i].next = spare;
      spare = &all[i];
    }
  }
  Watch* const watch = spare;
  spare = watch->next;
  return watch;
}

void disarm(Watch& watch) {
  for (int& fence : watch.fences) {
    if (fence >= 0) close(fence);  // which takes it out of the set
    fence = -1;
  }
}

void arm(Watch& watch) {
  disarm(watch);
  for (int i = 0; i < 2; ++i) {
    if ((watch.events & kEach[i]) == 0) continue;
    int fence = sync_file_for(watch.fd, kEach[i]);
    if (fence < 0) continue;
    fence = move_out_of_the_way(fence);
    epoll_event event = {};
    event.events = EPOLLIN | (watch.events & kManner);
    event.data.ptr = &watch;
    if (real_epoll_ctl(watch.epoll, EPOLL_CTL_ADD, fence, &event) == 0)
      watch.fences[i] = fence;
    else
      close(fence);
  }
}

Watch* find(int epoll, int fd) {
  for (Watch* watch = watches; watch; watch = watch->next)
    if (watch->epoll == epoll && watch->fd == fd) return watch;
  return nullptr;
}

Watch* find(const void* address) {
  for (Watch* watch = watches; watch; watch = watch->next)
    if (watch == address) return watch;
  return nullptr;
}

void forget(Watch& watch) {
  disarm(watch);
  Watch* next = watches;
  if (next == &watch) {
    __atomic_store_n(&watches, watch.next, __ATOMIC_RELEASE);
  } else {
    while (next->next != &watch) next = next->next;
    next->next = watch.next;
  }
  watch.next = spare;
  spare = &watch;
}

// Those whose set or dma-buf has been closed, as their numbers in that set tell.
void forget_the_closed() {
  for (Watch* watch = watches; watch;) {
    Watch* const next = watch->next;
    epoll_event nothing = {};
    nothing.data.ptr = watch;
    if (cookie_of(watch->fd) != watch->cookie ||
        real_epoll_ctl(watch->epoll, EPOLL_CTL_MOD, watch->fd, &nothing) != 0)
      forget(*watch);
    watch = next;
  }
}

void set_up(Watch& watch, const epoll_event& wanted) {
  watch.events = wanted.events;
  watch.data = wanted.data;
  arm(watch);
}

int add(int epoll, int fd, const epoll_event& wanted) {
  forget_the_closed();
  Watch* const watch = take_spare();
  if (!watch) {
    errno = ENOMEM;
    return -1;
  }
  // The dma-buf itself, of which only the end of the host is of interest.
  epoll_event itself = {};
  itself.data.ptr = watch;
  if (real_epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &itself) != 0) {
    watch->next = spare;
    spare = watch;
    return -1;
  }
  *watch = {watches, epoll, fd, cookie_of(fd), 0, {}, 0, {-1, -1}};
  __atomic_store_n(&watches, watch, __ATOMIC_RELEASE);
  set_up(*watch, wanted);
  return 0;
}

int control_dma_buf(int epoll, int operation, int fd, const epoll_event& wanted) {
  pthread_mutex_lock(&mutex);
  int result = 0;
  if (operation == EPOLL_CTL_ADD) {
    result = add(epoll, fd, wanted);
  } else {
    Watch* const watch = find(epoll, fd);
    epoll_event itself = {};
    itself.data.ptr = watch;
    result = real_epoll_ctl(epoll, operation, fd, &itself);
    const int saved = errno;
    if (result == 0 && watch && operation == EPOLL_CTL_MOD) set_up(*watch, wanted);
    if (result == 0 && watch && operation == EPOLL_CTL_DEL) forget(*watch);
    errno = saved;
  }
  pthread_mutex_unlock(&mutex);
  return result;
}

// What the client is told instead of `event`, if anything.
bool translate(epoll_event& event, Watch& watch) {
  if (cookie_of(watch.fd) != watch.cookie) {
    forget(watch);
    return false;
  }
  uint32_t ready = ready_of_dma_buf(watch.fd, watch.events);
  if ((event.events & EPOLLIN) == 0) ready = event.events;  // the host has gone
  if (ready == 0) {
    arm(watch);
    return false;
  }
  if ((watch.events & EPOLLONESHOT) != 0) disarm(watch);
  event.events = ready;
  event.data = watch.data;
  return true;
}

// Puts right what the kernel says; returns how many events are left.
int correct(epoll_event* events, int count) {
  const int saved = errno;
  pthread_mutex_lock(&mutex);
  static uint64_t answers = 0;
  ++answers;
  int left = 0;
  for (int i = 0; i < count; ++i) {
    epoll_event event = events[i];
    if (Watch* const watch = find(event.data.ptr)) {
      // One of which both events have come has come twice.
      if (watch->answer == answers) continue;
      watch->answer = answers;
      if (!translate(event, *watch)) continue;
    }
    events[left++] = event;
  }
  pthread_mutex_unlock(&mutex);
  errno = saved;
  return left;
}

// `kernel` asks the kernel, with what is left of the time.
template <class Kernel>
int wait_all(epoll_event* events, const timespec* timeout, Kernel kernel) {
  Deadline deadline(timeout);
  for (;;) {
    const int count = kernel(deadline.left());
    // The first of them may have come while the kernel waited.
    if (count <= 0 || !has_watches()) return count;
    const int left = correct(events, count);
    if (left != 0 || deadline.is_over()) return left;
  }
}

int wait_milliseconds(int epoll, epoll_event* events, int most, int timeout, const sigset_t* mask) {
  const timespec limit = {timeout / 1000, timeout % 1000 * 1000000L};
  return wait_all(events, timeout < 0 ? nullptr : &limit, [&](const timespec* left) {
    // Rounded up, so that the end is not waited for in steps of nothing.
    const int ms =
        left ? static_cast<int>(left->tv_sec * 1000 + (left->tv_nsec + 999999) / 1000000) : -1;
    return real_epoll_pwait(epoll, events, most, ms, mask);
  });
}

}  // namespace

extern "C" int shim_epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    PANTRY_EXPORT(epoll_ctl);
extern "C" int shim_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  const wire::Socket socket = socket_of(fd);
  const bool reads = operation == EPOLL_CTL_ADD || operation == EPOLL_CTL_MOD;
  if (socket == kForeign || (reads && !can_read(event, sizeof *event)))
    return real_epoll_ctl(epoll, operation, fd, event);
  epoll_event wanted = {};
  if (reads) wanted = *event;
  if (socket == wire::Socket::kDmaBuf) return control_dma_buf(epoll, operation, fd, wanted);
  wanted.events = events_of(socket, wanted.events);
  return real_epoll_ctl(epoll, operation, fd, reads ? &wanted : event);
}

extern "C" int shim_epoll_wait(int epoll, epoll_event* events, int most, int timeout)
    PANTRY_EXPORT(epoll_wait);
extern "C" int shim_epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
  if (!may_hold_descriptors()) {
    const int count = real_epoll_wait(epoll, events, most, timeout);
    if (count <= 0 || !has_watches()) return count;
    // Another thread has put in the first of all dma-bufs meanwhile.
    if (const int left = correct(events, count); left != 0) return left;
  }
  return wait_milliseconds(epoll, events, most, timeout, nullptr);
}

extern "C" int shim_epoll_pwait(int epoll, epoll_event* events, int most, int timeout,
                                const sigset_t* mask) PANTRY_EXPORT(epoll_pwait);
extern "C" int shim_epoll_pwait(int epoll, epoll_event* events, int most, int timeout,
                                const sigset_t* mask) {
  if (!may_hold_descriptors()) {
    const int count = real_epoll_pwait(epoll, events, most, timeout, mask);
    if (count <= 0 || !has_watches()) return count;
    // Another thread has put in the first of all dma-bufs meanwhile.
    if (const int left = correct(events, count); left != 0) return left;
  }
  return wait_milliseconds(epoll, events, most, timeout, mask);
}

extern "C" int shim_epoll_pwait2(int epoll, epoll_event* events, int most, const timespec* timeout,
                                 const sigset_t* mask) PANTRY_EXPORT(epoll_pwait2);
extern "C" int shim_epoll_pwait2(int epoll, epoll_event* events, int most, const timespec* timeout,
                                 const sigset_t* mask) {
  if (!directory() || (timeout && !can_read(timeout, sizeof *timeout)))
    return real_epoll_pwait2(epoll, events, most, timeout, mask);
  return wait_all(events, timeout, [&](const timespec* left) {
    return real_epoll_pwait2(epoll, events, most, left, mask);
  });
}

}  // namespace pantry::shim
