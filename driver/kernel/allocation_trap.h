// SPDX-License-Identifier: MIT
//
// The run-time net against allocation and free inside a SignallingSection. In builds with
// PANTRY_TRAPS every program that links this room has malloc and free (and with them operator new
// and delete) replaced by versions that abort with a message and a backtrace while the calling
// thread is inside a section; sanitizer builds use the sanitizers' hooks instead. Freeing a null
// pointer is not freeing. In other builds nothing is replaced.
#pragma once

namespace pantry::driver {

// Whether this build traps.
bool allocation_trap_armed() noexcept;

// Lets the calling thread allocate inside a section: for the machinery that observes it (the
// simulator's event log), never for the driver.
class AllocationTrapPause {
 public:
  AllocationTrapPause() noexcept;
  ~AllocationTrapPause();
  AllocationTrapPause(const AllocationTrapPause&) = delete;
  AllocationTrapPause& operator=(const AllocationTrapPause&) = delete;
};

}  // namespace pantry::driver
