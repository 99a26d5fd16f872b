// SPDX-License-Identifier: MIT
//
// The threads of the driver. They are few and fixed; everything else is a work item on one of the
// lanes, or a client's own thread. ThreadExecutor runs them on real threads, SimExecutor one at a
// time under a seed. The same driver code runs under both.
//
// Three kinds of wait, and no others:
//   1. device poll (Clock::poll, HardwareLimit): bounded, locks may be held;
//   2. firmware acknowledge: as 1; the interrupt path that completes it never takes the scheduler's
//      lock;
//   3. fence, syncobj, queue: no lock held, never from a work item.
#pragma once

#include <array>
#include <cstdint>

#include "driver/kernel/clock.h"
#include "driver/kernel/work.h"

namespace pantry::driver {

enum class Lane : std::uint8_t {
  kIrq,        // one thread: interrupt handlers
  kScheduler,  // one thread: the slot scheduler's tick, resets, power; so that a tick and a reset
               // never overlap
  kBind,       // a pool: the VMs' bind queues and the groups' job queues
  kCleanup,    // one thread: destroys what a SignallingSection left over; the only lane whose items
               // may free and wait
  kWithdraw,   // one thread: takes the host's memory away from buffers that are gone, which is slow
};
inline constexpr std::array kLanes{Lane::kIrq, Lane::kScheduler, Lane::kBind, Lane::kCleanup,
                                   Lane::kWithdraw};
inline constexpr std::uint32_t kLaneCount = kLanes.size();

using WorkLanes = std::array<WorkLane, kLaneCount>;
// The lanes of an executor, in the order of kLanes; no thread serves them yet.
inline WorkLanes new_work_lanes() {
  using Items = WorkLane::Items;
  return {{{"irq", Items::kMayNotWait},
           {"scheduler", Items::kMayNotWait},
           {"bind", Items::kMayNotWait},
           {"cleanup", Items::kMayWait},
           {"withdraw", Items::kMayNotWait}}};
}

// What a thread of the machine or of a test executes.
class ThreadBody {
 public:
  virtual void run() PANTRY_MAY_WAIT = 0;

 protected:
  ~ThreadBody() = default;
};

class Executor {
 public:
  virtual ~Executor() = default;

  virtual Clock& clock() = 0;
  virtual WorkLane& lane(Lane lane) = 0;

  // Starts a thread for the device, or for a client in a test. `name` is static storage. The caller
  // keeps `body` alive until join_spawned() returns; every body must return by itself. Allocates.
  virtual void spawn(const char* name, ThreadBody& body) PANTRY_MAY_ALLOCATE = 0;
  // Waits for all spawned bodies to return.
  virtual void join_spawned() PANTRY_MAY_WAIT = 0;
};

}  // namespace pantry::driver
