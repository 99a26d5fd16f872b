// SPDX-License-Identifier: MIT
//
// The architectural state of one command stream: everything that SUSPEND saves and RESUME restores,
// so that a stream goes on in another slot, or after a reset, as if nothing had happened.
//
// A plain value without padding or pointers: its bytes are the format of the suspend buffer
// (mcu/suspend_buffer.h), which carries their size, so a change here needs no version number. No
// lock, no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "gpu_emu/cs/pending_ops.h"
#include "gpu_emu/cs/scoreboard.h"
#include "gpu_emu/datasheet/model.h"

namespace pantry::emu {

inline constexpr std::uint32_t kStreamRegisters = datasheet::kMaliG610.stream_registers;
// CS slots of a group.
inline constexpr std::uint32_t kStreamSlots = datasheet::kMaliG610.stream_slots;
// Calls may be nested so deep that, with the ring as the first level, eight levels are in use.
inline constexpr std::uint32_t kMaxCallDepth = 8;

// One called buffer: [start, end), pc inside of it or at its end. Addresses of the group's space.
struct CallFrame {
  std::uint64_t start = 0;
  std::uint64_t pc = 0;
  std::uint64_t end = 0;
};

// A tiling operation that needs a heap chunk and finds none.
enum class HeapRequest : std::uint8_t {
  kNone,
  kAsked,            // TILER_OOM is with the host
  kGranted,          // heap_granted_first and _last name the chunks
  kRefused,          // the host has none
  kWaitForFragment,  // refused, but passes in flight will return some
};

struct StreamState {
  std::array<std::uint32_t, kStreamRegisters> registers{};
  // frames[0] is level 2: level 1 is the ring, whose place is `extract`.
  std::array<CallFrame, kMaxCallDepth - 1> frames{};
  // Bytes since the queue was created, of the ring's current instruction; of the CALL while one is
  // under way, so that it stays inside the job until the job is through.
  std::uint64_t extract = 0;
  std::uint64_t progress = 0;
  std::uint64_t heap_context = 0;  // by HEAP_SET; 0 is none
  std::uint64_t oom_handler = 0;   // by SET_EXCEPTION_HANDLER; 0 is none
  std::uint64_t heap_granted_first = 0;
  std::uint64_t heap_granted_last = 0;
  std::uint64_t tiled_bytes = 0;  // that the tiling operation at pc has taken so far
  DeferredOps deferred;
  InFlightOps in_flight;
  std::uint32_t oom_handler_bytes = 0;
  std::uint32_t heap_passes_seen = 0;  // completed fragment passes when kWaitForFragment began
  Scoreboard scoreboard;
  std::uint8_t depth = 1;          // levels in use, the ring included
  std::uint8_t handler_depth = 0;  // level at which the exception handler runs, 0 when it does not
  std::uint8_t endpoint_entry = 0;
  std::uint8_t other_entry = 0;
  std::uint8_t resources = 0;     // by REQ_RESOURCE
  std::uint8_t in_error = 0;      // 1 from a faulting operation to the next ERROR_BARRIER
  std::uint8_t handler_ran = 0;   // 1 when the exception handler has run for the operation at pc
  HeapRequest heap_request = HeapRequest::kNone;
  std::uint8_t faulted = 0;       // 1 from a CS_FAULT until the host has acknowledged it
  std::uint8_t fault_passes = 0;  // 1 when going on after the fault means the next instruction
  std::uint8_t dead = 0;          // 1 after a CS_FATAL or an aborted access: never runs again
  std::array<std::uint8_t, 3> reserved{};
};

static_assert(std::is_trivially_copyable_v<StreamState>);
static_assert(std::has_unique_object_representations_v<StreamState>);

}  // namespace pantry::emu
