// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/deferral.h"

#include <type_traits>

#include "base/check.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;

struct Deferred {
  std::uint32_t wait = 0;
  std::uint32_t signal = 0;
};

template <class I>
Deferred masks_of(const DeferredOp& deferred) {
  if constexpr (std::is_same_v<I, isa::LoadMultiple> || std::is_same_v<I, isa::StoreMultiple>) {
    return {0, static_cast<std::uint32_t>(deferred.data)};
  } else {
    const I op = isa::decode_as<I>(deferred.word);
    return {op.wait.bits & Scoreboard::kAllEntries, op.signal.index};
  }
}

// Calls `use.template operator()<I>()` for the instruction type of `word`, which issue() accepted.
template <class Use>
auto with_type_of(std::uint64_t word, Use use) {
  switch (isa::OpcodeField::get(word)) {
    case isa::Opcode::kLoadMultiple:
      return use.template operator()<isa::LoadMultiple>();
    case isa::Opcode::kStoreMultiple:
      return use.template operator()<isa::StoreMultiple>();
    case isa::Opcode::kSyncAdd32:
      return use.template operator()<isa::SyncAdd32>();
    case isa::Opcode::kSyncSet32:
      return use.template operator()<isa::SyncSet32>();
    case isa::Opcode::kSyncAdd64:
      return use.template operator()<isa::SyncAdd64>();
    case isa::Opcode::kSyncSet64:
      return use.template operator()<isa::SyncSet64>();
    case isa::Opcode::kFlushCache2:
      return use.template operator()<isa::FlushCache2>();
    case isa::Opcode::kStoreState:
      return use.template operator()<isa::StoreState>();
    case isa::Opcode::kTracePoint:
      return use.template operator()<isa::TracePoint>();
    case isa::Opcode::kHeapOperation:
      return use.template operator()<isa::HeapOperation>();
    case isa::Opcode::kFinishFragment:
      return use.template operator()<isa::FinishFragment>();
    default:
      check_failed(__FILE__, __LINE__, "no such deferred operation");
  }
}

Deferred masks_of_op(const DeferredOp& op) {
  return with_type_of(op.word, [&]<class I>() { return masks_of<I>(op); });
}

bool is_ready(const Execution& run, const DeferredOp& op) {
  return op.done_ns <= run.now.ns && run.state().scoreboard.clear(masks_of_op(op).wait);
}

// The operation to perform next, or the size of the list.
std::uint32_t next_ready(const Execution& run) {
  const DeferredOps& ops = run.state().deferred;
  const bool reversed = run.quirks.deferred_order == Quirks::DeferredOrder::kReversed;
  for (std::uint32_t n = 0; n < ops.size(); ++n) {
    const std::uint32_t index = reversed ? ops.size() - 1 - n : n;
    if (is_ready(run, ops[index])) return index;
  }
  return ops.size();
}

}  // namespace

Step step_of(Execution& run, Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
    case Outcome::kInFlight:
      return Step::kNext;
    case Outcome::kBusy:
      return run.blocked(datasheet::cs::BlockedReason::kDeferred);
    case Outcome::kStalled:
      return Step::kStalled;
    case Outcome::kFault:
      return Step::kFault;
    case Outcome::kAborted:
      return Step::kAborted;
  }
  return Step::kAborted;
}

void settle_in_flight(Execution& run) {
  InFlightOps& ops = run.state().in_flight;
  for (std::uint32_t i = 0; i < ops.size();) {
    if (ops[i].done_ns > run.now.ns) {
      ++i;
      continue;
    }
    switch (ops[i].kind) {
      case InFlightKind::kEndpoint:
        break;
      case InFlightKind::kEndpointProgress:
        ++run.state().progress;
        run.stream.events.progress_changed = true;
        break;
      case InFlightKind::kFlush:
        run.services.complete_cache_flush();
        break;
    }
    run.state().scoreboard.end(ops[i].entry);
    ops.remove(i);
  }
}

Step settle_deferred(Execution& run) {
  run.stream.deferred_stalled = false;
  DeferredOps& ops = run.state().deferred;
  for (std::uint32_t i = next_ready(run); i < ops.size(); i = next_ready(run)) {
    const DeferredOp op = ops[i];
    const Outcome outcome = with_type_of(
        op.word, [&]<class I>() { return perform(run, isa::decode_as<I>(op.word), op); });
    if (outcome == Outcome::kBusy) return Step::kNext;  // until something in flight is done
    if (outcome == Outcome::kStalled) {
      run.stream.deferred_stalled = true;
      return Step::kNext;
    }
    ops.remove(i);
    if (outcome == Outcome::kInFlight) continue;
    run.state().scoreboard.end(masks_of_op(op).signal);
    if (outcome != Outcome::kDone) return step_of(run, outcome);
  }
  return Step::kNext;
}

}  // namespace pantry::emu
