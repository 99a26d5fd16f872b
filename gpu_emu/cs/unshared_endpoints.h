// SPDX-License-Identifier: MIT
//
// For tests of streams without a firmware around them: endpoints for everybody, so that all work
// begins when it is issued. No lock, no allocation.
#pragma once

#include "gpu_emu/cs/stream.h"

namespace pantry::emu {

// After each run of the stream, which was at `now`.
inline void begin_endpoint_work(Stream& stream, TimePoint now) {
  InFlightOps& ops = stream.state.in_flight;
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    if (ops[i].waits_for_endpoint()) ops[i].done_ns = (now + nanoseconds(ops[i].work_ns)).ns;
  }
}

}  // namespace pantry::emu
