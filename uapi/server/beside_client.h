// SPDX-License-Identifier: MIT
//
// How a thread of the server waits for the next request of a client that asks all the time: it
// polls for a moment where the client runs on another processor (polling.h says why), and where
// nothing comes of that, as when other programs want the processors, it moves to the client's. A
// move is asked for once, and the scheduler may part them again: the thread's affinity stays as it
// was.
#pragma once

#include <cstdint>

#include "uapi/server/polling.h"
#include "uapi/server/protocol.h"

namespace pantry::uapi {

class BesideClient {
 public:
  // So many requests in a row from one thread, all from another processor than ours and none found
  // by polling, and we move. Others that ask meanwhile, who would run beside us, begin the row
  // anew.
  static constexpr unsigned kRow = 32;

  // On a thread of the server: this request is being served. Its processor may be any value: it is
  // the client's word. A move takes some ten microseconds.
  void served(const wire::Request& request);

  // Whether to poll, wire::kPollNs at most, before that thread sleeps; and what came of it.
  bool polls();
  void found();
  void in_vain() { polling_.in_vain(); }

 private:
  enum class Next { kSleep, kPoll } next_ = Next::kSleep;
  wire::Polling polling_;
  std::uint64_t channel_ = 0;
  unsigned row_ = 0;
};

}  // namespace pantry::uapi
