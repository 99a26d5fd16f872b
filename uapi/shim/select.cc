// SPDX-License-Identifier: MIT
//
// select() and pselect() with descriptors of ours among the others: what the kernel says is put
// right, and when nothing is left of it, poll() waits. A process that has not been seen to hold a
// descriptor of ours pays one load and a jump.
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/select.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/off_heap.h"
#include "uapi/shim/readiness.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, select, int, fd_set*, fd_set*, fd_set*, timeval*)
PANTRY_REAL(int, pselect, int, fd_set*, fd_set*, fd_set*, const timespec*, const sigset_t*)

constexpr int kSets = 3;
constexpr short kEvents[kSets] = {POLLIN, POLLOUT, POLLPRI};
// What puts a descriptor into the set.
constexpr short kPresent[kSets] = {POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
                                   POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR, POLLPRI};

// The sets of a call, as long as the number of descriptors makes them, and room for what was asked.
class Sets {
 public:
  Sets(int count, fd_set* read, fd_set* write, fd_set* exceptional)
      : count_(count), words_((static_cast<size_t>(count) + 63) / 64) {
    fd_set* const given[kSets] = {read, write, exceptional};
    for (int set = 0; set < kSets; ++set) now_[set] = reinterpret_cast<uint64_t*>(given[set]);
  }

  bool can_be_read() const {
    for (const uint64_t* words : now_)
      if (words && !can_read(words, words_ * sizeof *words)) return false;
    return true;
  }
  // `room`: kSets * words() of them.
  void keep(uint64_t* room) {
    for (int set = 0; set < kSets; ++set) {
      asked_[set] = room + static_cast<size_t>(set) * words_;
      if (now_[set]) memcpy(asked_[set], now_[set], words_ * sizeof *room);
    }
  }
  size_t words() const { return words_; }
  int count() const { return count_; }
  bool has(int set, int fd) const {
    return now_[set] && (now_[set][fd / 64] >> (fd % 64) & 1) != 0;
  }
  void drop(int set, int fd) { now_[set][fd / 64] &= ~(uint64_t{1} << (fd % 64)); }
  void add(int set, int fd) { now_[set][fd / 64] |= uint64_t{1} << (fd % 64); }
  bool asked(int set, int fd) const {
    return now_[set] && (asked_[set][fd / 64] >> (fd % 64) & 1) != 0;
  }
  void clear() {
    for (uint64_t* words : now_)
      if (words) memset(words, 0, words_ * sizeof *words);
  }

 private:
  int count_;
  size_t words_;
  uint64_t* now_[kSets] = {};
  uint64_t* asked_[kSets] = {};
};

// Puts right what the kernel says; returns how many bits are left of `ready`.
int correct(Sets& sets, int ready) {
  for (int fd = 0; fd < sets.count(); ++fd) {
    if (!sets.has(0, fd) && !sets.has(1, fd)) continue;
    const wire::Socket socket = socket_of(fd);
    if (socket == kForeign) continue;
    const uint32_t left =
        socket == wire::Socket::kDmaBuf ? ready_of_dma_buf(fd, kData) : events_of(socket, kData);
    for (int set = 0; set < 2; ++set) {
      if (!sets.has(set, fd) || (left & static_cast<uint32_t>(kEvents[set])) != 0) continue;
      sets.drop(set, fd);
      --ready;
    }
  }
  return ready;
}

int wait_by_poll(Sets& sets, const timespec* timeout, const sigset_t* mask) {
  OffHeapArray<pollfd> all(static_cast<size_t>(sets.count()));
  if (!all) return -1;
  nfds_t used = 0;
  for (int fd = 0; fd < sets.count(); ++fd) {
    short events = 0;
    for (int set = 0; set < kSets; ++set)
      if (sets.asked(set, fd)) events = static_cast<short>(events | kEvents[set]);
    if (events != 0) all[used++] = {fd, events, 0};
  }
  int result = poll_all(all.data(), used, timeout, mask);
  int error = errno;
  if (result >= 0) {
    result = 0;
    sets.clear();
    for (nfds_t i = 0; i < used && result >= 0; ++i) {
      if ((all[i].revents & POLLNVAL) != 0) {
        error = EBADF;
        result = -1;
      }
      for (int set = 0; set < kSets && result >= 0; ++set)
        if (sets.asked(set, all[i].fd) && (all[i].revents & kPresent[set]) != 0) {
          sets.add(set, all[i].fd);
          ++result;
        }
    }
  }
  errno = error;
  return result;
}

// `kernel` asks the kernel; `timeout`: what the client had in mind.
template <class Kernel>
int select_all(Sets& sets, const timespec* timeout, const sigset_t* mask, Deadline& deadline,
               Kernel kernel) {
  uint64_t small[kSets * FD_SETSIZE / 64];
  const size_t words = kSets * sets.words();
  OffHeapArray<uint64_t> large;
  const bool fits = words <= sizeof small / sizeof *small;
  if (!fits && !large.reserve(words)) return kernel();
  sets.keep(fits ? small : large.data());
  int result = kernel();
  if (result > 0) {
    const int ready = correct(sets, result);
    result = ready == 0 && !(timeout && deadline.is_over())
                 ? wait_by_poll(sets, deadline.left(), mask)
                 : ready;
  }
  return result;
}

}  // namespace

extern "C" int shim_select(int count, fd_set* read, fd_set* write, fd_set* exceptional,
                           timeval* timeout) PANTRY_EXPORT(select);
extern "C" int shim_select(int count, fd_set* read, fd_set* write, fd_set* exceptional,
                           timeval* timeout) {
  if (!may_hold_descriptors() || count <= 0)
    return real_select(count, read, write, exceptional, timeout);
  Sets sets(count, read, write, exceptional);
  if (!sets.can_be_read() || (timeout && !can_read(timeout, sizeof *timeout)))
    return real_select(count, read, write, exceptional, timeout);
  timespec limit = {};
  if (timeout) limit = {timeout->tv_sec, timeout->tv_usec * 1000};
  Deadline deadline(timeout ? &limit : nullptr);
  const int result = select_all(sets, timeout ? &limit : nullptr, nullptr, deadline, [&] {
    return real_select(count, read, write, exceptional, timeout);
  });
  // As Linux does: what was left of the time.
  if (timeout && result >= 0) {
    const timespec* const left = deadline.left();
    if (left) *timeout = {left->tv_sec, left->tv_nsec / 1000};
  }
  return result;
}

extern "C" int shim_pselect(int count, fd_set* read, fd_set* write, fd_set* exceptional,
                            const timespec* timeout, const sigset_t* mask) PANTRY_EXPORT(pselect);
extern "C" int shim_pselect(int count, fd_set* read, fd_set* write, fd_set* exceptional,
                            const timespec* timeout, const sigset_t* mask) {
  const auto kernel = [&] { return real_pselect(count, read, write, exceptional, timeout, mask); };
  if (!may_hold_descriptors() || count <= 0) return kernel();
  Sets sets(count, read, write, exceptional);
  if (!sets.can_be_read() || (timeout && !can_read(timeout, sizeof *timeout))) return kernel();
  Deadline deadline(timeout);
  return select_all(sets, timeout, mask, deadline, kernel);
}

}  // namespace pantry::shim
