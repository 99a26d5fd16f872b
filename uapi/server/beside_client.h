// SPDX-License-Identifier: MIT
//
// Keeps the server's thread on the processor of the client that it serves. A client that asks and
// waits has no use for a second processor: waking one, which sleeps until it is interrupted, and
// which wakes the first one again for the answer, takes several times as long as the ioctl. The
// host's scheduler leaves a pair on two processors once it has got there. It is asked once, and may
// part them again: the thread's affinity stays as it was.
#pragma once

#include <cstdint>

namespace pantry::uapi {

class BesideClient {
 public:
  // So many requests in a row from one thread, all from another processor than ours, and we move.
  // Others that ask meanwhile, who would run beside us, begin the row anew.
  static constexpr unsigned kRow = 32;

  // On the server's thread: a request is being served that came over `channel` from a thread on
  // `processor` (any value: it is the client's word). A move takes some ten microseconds.
  void served(std::uint64_t channel, std::uint64_t processor);

 private:
  std::uint64_t channel_ = 0;
  unsigned row_ = 0;
};

}  // namespace pantry::uapi
