// SPDX-License-Identifier: MIT
//
// epoll with descriptors of ours. Where the kernel would say too much of a sync_file or a device
// node, it is not asked. A dma-buf is watched by way of sync_files of its fences, which are put
// into the client's set beside it and bring the kernel's wait to an end: then the host is asked,
// and fences that came in meanwhile are watched anew. What a set is told of a dma-buf is known in
// this process and its children only, by the numbers of both; a program that gets the set by exec
// or SCM_RIGHTS finds the buffer not ready, and so does one that closes the number of either and
// goes on with a copy. The sync_files end with the set, which close() and its kin have to tell.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "uapi/shim/channel.h"
#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/off_heap.h"
#include "uapi/shim/readiness.h"
#include "uapi/shim/uncancelled.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, epoll_ctl, int, int, int, epoll_event*)
PANTRY_REAL(int, epoll_wait, int, epoll_event*, int, int)
PANTRY_REAL(int, epoll_pwait, int, epoll_event*, int, int, const sigset_t*)
PANTRY_REAL(int, epoll_pwait2, int, epoll_event*, int, const timespec*, const sigset_t*)
PANTRY_REAL(int, close, int)
PANTRY_REAL(int, close_range, unsigned, unsigned, int)
PANTRY_REAL(void, closefrom, int)
PANTRY_REAL(int, dup2, int, int)
PANTRY_REAL(int, dup3, int, int, int)

// dlsym is not for signal handlers, these are: looked up before there are any.
__attribute__((constructor)) void look_up() {
  real(close_slot, "close");
  real(dup2_slot, "dup2");
}

// Without EPOLLET: each time that Linux looks at a dma-buf and finds it ready, it wakes who watches
// it. So the next wait looks again, whether the client wants edges or levels.
constexpr uint32_t kManner = EPOLLONESHOT | EPOLLWAKEUP;
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
  // Sync_files, of the events in kEach. A client that closes what it does not know may have closed
  // one, and be using the number.
  int fences[2];
  uint64_t fence_cookies[2];
  int armed_by;  // the process that put them into the set
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Watch* watches = nullptr;  // those in use
Watch* spare = nullptr;
int closed_meanwhile = 0;  // something was, while the mutex was held

bool has_watches() { return __atomic_load_n(&watches, __ATOMIC_ACQUIRE) != nullptr; }

// A child of fork() has the watches, and is to have them whole.
void lock() { pthread_mutex_lock(&mutex); }
void unlock_plain() { pthread_mutex_unlock(&mutex); }
__attribute__((constructor)) void at_load() { pthread_atfork(lock, unlock_plain, unlock_plain); }

// Null: no memory.
Watch* take_spare() {
  if (!spare) {
    constexpr size_t kAtOnce = 4096 / sizeof(Watch);
    OffHeapArray<Watch> more(kAtOnce);
    if (!more) return nullptr;
    Watch* const all = more.keep();
    for (size_t i = 0; i < kAtOnce; ++i) {
      all[i].next = spare;
      spare = &all[i];
    }
  }
  Watch* const watch = spare;
  spare = watch->next;
  return watch;
}

bool has_fence(const Watch& watch, int i) {
  return watch.fences[i] >= 0 && cookie_of(watch.fences[i]) == watch.fence_cookies[i];
}

void disarm(Watch& watch) {
  for (int i = 0; i < 2; ++i) {
    if (has_fence(watch, i)) {
      // A child of fork() may hold it, and with that keep it in the set. In the child, the set is
      // still that of the parent, who waits for this.
      if (watch.armed_by == getpid())
        real_epoll_ctl(watch.epoll, EPOLL_CTL_DEL, watch.fences[i], nullptr);
      real_close(watch.fences[i]);
    }
    watch.fences[i] = -1;
  }
}

void arm(Watch& watch) {
  disarm(watch);
  watch.armed_by = getpid();
  for (int i = 0; i < 2; ++i) {
    if ((watch.events & kEach[i]) == 0) continue;
    int fence = sync_file_for(watch.fd, kEach[i]);
    if (fence < 0) continue;
    fence = move_out_of_the_way(fence);
    epoll_event event = {};
    event.events = EPOLLIN | (watch.events & kManner);
    event.data.ptr = &watch;
    if (real_epoll_ctl(watch.epoll, EPOLL_CTL_ADD, fence, &event) == 0) {
      watch.fences[i] = fence;
      watch.fence_cookies[i] = cookie_of(fence);
    } else {
      real_close(fence);
    }
  }
}

bool has_lost_a_fence(const Watch& watch) {
  for (int i = 0; i < 2; ++i)
    if (watch.fences[i] >= 0 && !has_fence(watch, i)) return true;
  return false;
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

// Those whose set or dma-buf has been closed, as their numbers in that set tell; and others have
// their fences again.
void forget_the_closed() {
  for (Watch* watch = watches; watch;) {
    Watch* const next = watch->next;
    epoll_event nothing = {};
    nothing.data.ptr = watch;
    if (cookie_of(watch->fd) != watch->cookie ||
        real_epoll_ctl(watch->epoll, EPOLL_CTL_MOD, watch->fd, &nothing) != 0)
      forget(*watch);
    else if (has_lost_a_fence(*watch))
      arm(*watch);
    watch = next;
  }
}

void unlock() {
  do {
    while (__atomic_exchange_n(&closed_meanwhile, 0, __ATOMIC_ACQ_REL) != 0) forget_the_closed();
    pthread_mutex_unlock(&mutex);
    // One that came in between has seen the mutex held.
  } while (__atomic_load_n(&closed_meanwhile, __ATOMIC_ACQUIRE) != 0 &&
           pthread_mutex_trylock(&mutex) == 0);
}

// After descriptors have been closed. May be called in a signal handler, and so does not wait: who
// has the mutex does it then, before that is given back. Keeps errno.
void after_close() {
  if (!has_watches() || !owns_memory()) return;
  const Uncancelled whole;
  const int saved = errno;
  __atomic_store_n(&closed_meanwhile, 1, __ATOMIC_RELEASE);
  if (pthread_mutex_trylock(&mutex) == 0) unlock();
  errno = saved;
}

bool is_watched(int fd) {
  if (!has_watches() || !owns_memory()) return false;
  const Uncancelled whole;
  if (pthread_mutex_trylock(&mutex) != 0) return true;  // perhaps
  bool found = false;
  for (const Watch* watch = watches; watch && !found; watch = watch->next)
    found = watch->epoll == fd || watch->fd == fd;
  unlock();
  return found;
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
  *watch = {watches, epoll, fd, cookie_of(fd), 0, {}, 0, {-1, -1}, {}, 0};
  __atomic_store_n(&watches, watch, __ATOMIC_RELEASE);
  set_up(*watch, wanted);
  return 0;
}

int control_dma_buf(int epoll, int operation, int fd, const epoll_event& wanted) {
  const Uncancelled whole;
  lock();
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
  unlock();
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
  const Uncancelled whole;
  const int saved = errno;
  lock();
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
  unlock();
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

extern "C" int shim_close(int fd) PANTRY_EXPORT(close);
extern "C" int shim_close(int fd) {
  const bool watched = is_watched(fd);
  const int result = real_close(fd);
  if (watched) after_close();
  return result;
}

extern "C" int shim_close_range(unsigned first, unsigned last, int flags)
    PANTRY_EXPORT(close_range);
extern "C" int shim_close_range(unsigned first, unsigned last, int flags) {
  const int result = real_close_range(first, last, flags);
  after_close();
  return result;
}

extern "C" void shim_closefrom(int first) PANTRY_EXPORT(closefrom);
extern "C" void shim_closefrom(int first) {
  real_closefrom(first);
  after_close();
}

extern "C" int shim_dup2(int from, int to) PANTRY_EXPORT(dup2);
extern "C" int shim_dup2(int from, int to) {
  const bool watched = is_watched(to);
  const int result = real_dup2(from, to);
  if (watched) after_close();
  return result;
}

extern "C" int shim_dup3(int from, int to, int flags) PANTRY_EXPORT(dup3);
extern "C" int shim_dup3(int from, int to, int flags) {
  const bool watched = is_watched(to);
  const int result = real_dup3(from, to, flags);
  if (watched) after_close();
  return result;
}

}  // namespace pantry::shim
