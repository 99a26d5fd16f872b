// SPDX-License-Identifier: MIT
//
// The executor for simulation. Every actor (client, lane thread, device) has a thread of its own,
// of which exactly one holds the baton; at each lock, wait, notify and queueing the seed picks who
// goes on. Time is virtual: it moves to the nearest deadline only when every actor waits. So a run
// is a function of its seed, and the event log of a seed is the same byte for byte each time.
//
// The thread that constructs it becomes an actor too ("main") until the destructor. If every actor
// waits and there is no deadline, that is a deadlock: the log is printed and the process aborts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "driver/kernel/executor.h"

namespace pantry::driver {

class SimExecutor final : public Executor {
 public:
  // `bind_threads` as ThreadExecutor. Allocates and starts the lane threads, which wait for the
  // baton.
  SimExecutor(std::uint64_t seed, unsigned bind_threads) PANTRY_MAY_ALLOCATE;
  ~SimExecutor() override PANTRY_MAY_WAIT;

  Clock& clock() override;
  WorkLane& lane(Lane lane) override;
  void spawn(const char* name, ThreadBody& body) override PANTRY_MAY_ALLOCATE;
  void join_spawned() override PANTRY_MAY_WAIT;

  // Adds a line to the event log: virtual time, actor, `what` and a number. Allocates. For the
  // machine and for tests.
  void note(const char* what, std::uint64_t value);
  // Everything so far: scheduling decisions and notes, one per line. No addresses, no real time.
  std::string log() const;
  std::uint64_t seed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
