// SPDX-License-Identifier: MIT
//
// Operations that the stream does not wait for: issued with a wait mask, they are performed when
// the entries of the mask are zero, and count in their signal entry from issue to completion.
// Without a mask they are performed in order, before the next instruction. Loads and stores that
// take time (Quirks::transfer_time) are kept here as well.
//
// Each such instruction has two parts: execute() samples its registers and calls issue(); perform()
// does the work with what was sampled, then or later. Of two operations that become ready together
// the earlier one is performed first (Quirks::deferred_order). No allocation.
#pragma once

#include <cstdint>

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_data_instructions.h"
#include "gpu_emu/datasheet/cs_heap_instructions.h"
#include "gpu_emu/datasheet/cs_sync_instructions.h"

namespace pantry::emu {

// How perform() ends. As with Step, only kDone, kInFlight and kFault have changed anything.
enum class Outcome : std::uint8_t {
  kDone,
  kInFlight,  // started; it stays in its signal entry until it is done
  kBusy,      // too much in flight
  kStalled,
  kFault,
  kAborted,
};

Outcome perform(Execution& run, const datasheet::isa::SyncAdd32& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::SyncSet32& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::SyncAdd64& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::SyncSet64& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::FlushCache2& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::StoreState& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::TracePoint& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::HeapOperation& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::FinishFragment& op,
                const DeferredOp& sampled);

Outcome perform(Execution& run, const datasheet::isa::LoadMultiple& op, const DeferredOp& sampled);
Outcome perform(Execution& run, const datasheet::isa::StoreMultiple& op, const DeferredOp& sampled);

inline Outcome outcome_of_refusal(Execution& run, MemoryStatus status, std::uint64_t va) {
  return run.refused(status, va) == Step::kStalled ? Outcome::kStalled : Outcome::kAborted;
}
inline Outcome outcome_of_fault(Execution& run, datasheet::Exception type, std::uint64_t info) {
  run.fault(type, info);
  return Outcome::kFault;
}

// Completes what is in flight and due.
void settle_in_flight(Execution& run);
// Performs what is ready. kNext, kFault or kAborted; Stream::deferred_stalled tells the rest.
Step settle_deferred(Execution& run);

Step step_of(Execution& run, Outcome outcome);

// What execute() of an instruction with `wait` and `signal` comes to.
template <class I>
Step issue(Execution& run, const I& op, std::uint64_t address, std::uint64_t data) {
  const std::uint32_t mask = op.wait.bits & Scoreboard::kAllEntries;
  // Waiting for one's own entry would never end.
  if (!is_mask_allowed(run, op.wait) || (mask >> op.signal.index & 1) != 0) {
    return run.fatal(datasheet::Exception::kCsInstrInvalid, encode(op));
  }
  const DeferredOp sampled = {.word = encode(op),
                              .address = address,
                              .data = data,
                              .heap = run.state().heap_context,
                              .done_ns = 0};
  Scoreboard& scoreboard = run.state().scoreboard;
  if (mask == 0 || run.in_order()) {
    scoreboard.begin(op.signal.index);
    const Outcome outcome = perform(run, op, sampled);
    if (outcome != Outcome::kInFlight) scoreboard.end(op.signal.index);
    return step_of(run, outcome);
  }
  if (run.state().deferred.full()) return run.blocked(datasheet::cs::BlockedReason::kDeferred);
  scoreboard.begin(op.signal.index);
  run.state().deferred.push(sampled);
  return settle_deferred(run);
}

}  // namespace pantry::emu
