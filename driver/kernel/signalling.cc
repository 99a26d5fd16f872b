// SPDX-License-Identifier: MIT
#include "driver/kernel/signalling.h"

#include <cstdio>
#include <cstdlib>

#include "driver/kernel/allocation_trap.h"
#include "driver/kernel/lock_order.h"

namespace pantry::driver {

namespace {

// Makes the linker take the trap into every program that can enter a section.
[[maybe_unused]] const bool trap_is_linked = allocation_trap_armed();

}  // namespace

Cleanup::~Cleanup() {
  lane_.cancel(*this);
  run();
}

void Cleanup::kick() {
  if (!dead_.empty() && !kicked_.exchange(true, std::memory_order_acq_rel)) lane_.queue(*this);
}

void Cleanup::drain() {
  check_may_wait("Cleanup::drain");
  // Destroying an object may enter a section and leave over more.
  do {
    // Not kick(): whoever has set kicked_ may not have queued it yet.
    if (!dead_.empty()) lane_.queue(*this);
    lane_.flush(*this);
  } while (!dead_.empty());
}

void Cleanup::run() {
  // Acquires what whoever relies on this run has left over.
  kicked_.exchange(false, std::memory_order_acq_rel);
  while (!dead_.empty()) dead_.destroy_all();
}

void check_may_wait(const char* what) noexcept {
  const char* where = nullptr;
  if (SignallingSection::active()) where = "inside a SignallingSection";
  if (WorkLane::in_item_that_may_not_wait()) where = "in a work item";
  if (Mutex::held_by_this_thread() != 0) where = "with a mutex held";
  if (where) {
    std::fprintf(stderr, "pantry: bug: %s waits %s\n", what, where);
    std::abort();
  }
  lock_order::may_wait();
}

}  // namespace pantry::driver
