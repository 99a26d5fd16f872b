// SPDX-License-Identifier: MIT
//
// One command stream as the interpreter sees it: its architectural state, where its ring is, and
// what it told the firmware when it stopped.
//
// Invariant: `blocked` and `wait` describe the instruction at pc, which had no effect yet; it is
// executed again from the beginning when something changed. They are not saved by SUSPEND, since
// executing the instruction once gives them back. No lock, no allocation.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "gpu_emu/cs/stream_state.h"
#include "gpu_emu/datasheet/cs_interface.h"
#include "gpu_emu/datasheet/exception.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

// Why Interpreter::run came back.
enum class StreamStop : std::uint8_t {
  kLimit,      // more to do
  kRingEmpty,  // all instructions up to `insert` are done
  kBlocked,    // see Stream::blocked
  kStalled,    // memory is locked or waits for the driver: run again after a register access
  kFault,      // Stream::exception; `faulted` is set
  kFatal,      // Stream::exception; `dead` is set
  kAborted,    // memory access refused for good; Stream::exception says where; `dead` is set
};

// What happened in a run, besides the stop. The reader clears.
struct StreamEvents {
  bool sync_update = false;       // a sync object of system scope was written: tell the host
  bool sync_written = false;      // any sync object was written: somebody may wait for it
  bool progress_changed = false;  // for PROGRESS_WAIT of the other streams of the group
  bool heap_changed = false;      // chunks were returned, or a pass was completed
  bool heap_exhausted = false;    // TILER_OOM with `heap_report`
};

// What TILER_OOM tells the host.
struct HeapReport {
  std::uint32_t vt_start = 0;
  std::uint32_t vt_end = 0;
  std::uint32_t frag_end = 0;
  GpuVa context;
};

// Why a blocked stream is blocked, as the status words of a CS slot want it.
struct StreamWait {
  std::uint32_t scoreboards = 0;  // mask of a WAIT
  bool for_wait_instruction = false;
  bool for_progress = false;
  bool for_sync = false;
  bool sync_is_64_bit = false;
  std::uint8_t sync_condition = 0;
  GpuVa sync_address;
  std::uint64_t sync_value = 0;
};

struct StreamException {
  datasheet::Exception type = datasheet::Exception::kOk;
  std::uint64_t info = 0;  // the address or the instruction word that it is about
};

struct Stream {
  StreamState state;

  AsIndex address_space;
  GpuVa ring_base;
  std::uint64_t ring_bytes = 0;  // a power of two
  std::uint64_t insert = 0;      // as last read from the host

  datasheet::cs::BlockedReason blocked = datasheet::cs::BlockedReason::kUnblocked;
  StreamWait wait;
  bool deferred_stalled = false;  // a deferred operation waits for memory
  StreamEvents events;
  StreamException exception;
  HeapReport heap_report;

  bool in_ring() const { return state.depth == 1; }
  GpuVa ring_pc() const { return ring_base + (state.extract & (ring_bytes - 1)); }
  GpuVa pc() const { return in_ring() ? ring_pc() : GpuVa{state.frames[state.depth - 2u].pc}; }

  // All instructions done, nothing outstanding.
  bool drained() const {
    return in_ring() && state.extract == insert && state.scoreboard.busy() == 0;
  }
};

}  // namespace pantry::emu
