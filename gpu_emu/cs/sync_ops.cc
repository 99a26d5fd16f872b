// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/sync_ops.h"

#include <atomic>
#include <type_traits>

#include "gpu_emu/cs/deferral.h"
#include "gpu_emu/datasheet/sync_object.h"
#include "gpu_emu/datasheet/user_page.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;
using datasheet::Exception;
using datasheet::cs::BlockedReason;

template <class Data>
using WordOf = std::conditional_t<std::is_same_v<Data, isa::Reg64>, std::uint64_t, std::uint32_t>;

template <class Word>
constexpr std::uint64_t kStatusOffset = sizeof(Word) == 8 ? datasheet::sync_object::word64::kStatus
                                                          : datasheet::sync_object::word32::kStatus;

template <class Word>
std::atomic_ref<Word> word_at(const Translation& t) {
  return std::atomic_ref<Word>(*reinterpret_cast<Word*>(t.host));
}

template <isa::Opcode kCode, class Data>
Outcome perform_update(Execution& run, const isa::SyncUpdate<kCode, Data>& op,
                       const DeferredOp& sampled) {
  using Word = WordOf<Data>;
  constexpr bool kAdds = kCode == isa::Opcode::kSyncAdd32 || kCode == isa::Opcode::kSyncAdd64;

  const std::uint64_t address = sampled.address;
  if (!is_aligned(address, sizeof(Word))) {
    return outcome_of_fault(run, Exception::kDataInvalidFault, address);
  }
  const Translation value = run.translate(address, kAdds ? Access::kAtomic : Access::kWrite);
  if (value.status != MemoryStatus::kOk) return outcome_of_refusal(run, value.status, address);
  const std::uint64_t status_address = address + kStatusOffset<Word>;
  const Translation status = run.translate(status_address, Access::kWrite);
  if (status.status != MemoryStatus::kOk) {
    return outcome_of_refusal(run, status.status, status_address);
  }

  const bool failed = op.error_propagate && run.state().in_error != 0;
  word_at<std::uint32_t>(status).store(
      failed ? datasheet::sync_object::kStatusError : datasheet::sync_object::kStatusOk,
      std::memory_order_relaxed);
  const auto data = static_cast<Word>(sampled.data);
  if constexpr (kAdds) {
    word_at<Word>(value).fetch_add(data, std::memory_order_acq_rel);
  } else {
    word_at<Word>(value).store(data, std::memory_order_release);
  }
  run.stream.events.sync_written = true;
  if (op.scope == isa::SyncScope::kSystem) run.stream.events.sync_update = true;
  return Outcome::kDone;
}

template <isa::Opcode kCode, class Data>
Step execute_wait(Execution& run, const isa::SyncWaitFor<kCode, Data>& op) {
  using Word = WordOf<Data>;
  const std::uint64_t address = run.get(op.address);
  const Word reference = run.get(op.reference);
  if (!is_aligned(address, sizeof(Word))) {
    return run.fault(Exception::kDataInvalidFault, address);
  }
  const Translation value = run.translate(address, Access::kRead);
  if (value.status != MemoryStatus::kOk) return run.refused(value.status, address);
  const std::uint64_t status_address = address + kStatusOffset<Word>;
  const Translation status = run.translate(status_address, Access::kRead);
  if (status.status != MemoryStatus::kOk) return run.refused(status.status, status_address);

  const Word now = word_at<Word>(value).load(std::memory_order_acquire);
  const bool released =
      op.condition == isa::SyncCondition::kGreater ? now > reference : now <= reference;
  if (!released) {
    StreamWait& wait = run.stream.wait;
    wait.for_sync = true;
    wait.sync_is_64_bit = sizeof(Word) == 8;
    wait.sync_condition = static_cast<std::uint8_t>(op.condition);
    wait.sync_address = GpuVa{address};
    wait.sync_value = reference;
    return run.blocked(BlockedReason::kSyncWait);
  }
  // The writer propagates its error together with the value, so it counts when the wait is over.
  const bool inherits =
      op.error_reject == (run.quirks.error_reject == Quirks::ErrorReject::kOneInherits);
  if (inherits && word_at<std::uint32_t>(status).load(std::memory_order_relaxed) != 0) {
    return run.fault(Exception::kCsInheritFault, address);
  }
  return Step::kNext;
}

// Whether LATEST_FLUSH has moved past `id`. It counts in 24 bits and wraps: 0x000002 is past
// 0xfffff0, since their difference is 0x12 and not more than half the circle.
bool has_moved_past(std::uint32_t latest, std::uint32_t id) {
  constexpr std::uint32_t kMask = datasheet::user_page::kLatestFlushMask;
  const std::uint32_t distance = (latest - id) & kMask;
  return distance != 0 && distance <= kMask / 2;
}

}  // namespace

Step execute(Execution& run, const isa::SyncAdd32& op) {
  return issue(run, op, run.get(op.address), run.get(op.data));
}
Step execute(Execution& run, const isa::SyncSet32& op) {
  return issue(run, op, run.get(op.address), run.get(op.data));
}
Step execute(Execution& run, const isa::SyncAdd64& op) {
  return issue(run, op, run.get(op.address), run.get(op.data));
}
Step execute(Execution& run, const isa::SyncSet64& op) {
  return issue(run, op, run.get(op.address), run.get(op.data));
}

Outcome perform(Execution& run, const isa::SyncAdd32& op, const DeferredOp& sampled) {
  return perform_update(run, op, sampled);
}
Outcome perform(Execution& run, const isa::SyncSet32& op, const DeferredOp& sampled) {
  return perform_update(run, op, sampled);
}
Outcome perform(Execution& run, const isa::SyncAdd64& op, const DeferredOp& sampled) {
  return perform_update(run, op, sampled);
}
Outcome perform(Execution& run, const isa::SyncSet64& op, const DeferredOp& sampled) {
  return perform_update(run, op, sampled);
}

Step execute(Execution& run, const isa::FlushCache2& op) {
  return issue(run, op, 0, run.get(op.flush_id));
}

// Memory is coherent here, so a flush has nothing to write back; it still takes its time and moves
// the counter that lets later flushes be skipped.
Outcome perform(Execution& run, const isa::FlushCache2& op, const DeferredOp& sampled) {
  const auto id = static_cast<std::uint32_t>(sampled.data);
  if (id != datasheet::user_page::kAlwaysFlush && has_moved_past(run.services.latest_flush(), id)) {
    return Outcome::kDone;
  }
  if (run.in_order() || run.quirks.cache_flush_time.ns == 0) {
    run.services.complete_cache_flush();
    return Outcome::kDone;
  }
  if (run.state().in_flight.full()) return Outcome::kBusy;
  run.state().in_flight.push({.done_ns = (run.now + run.quirks.cache_flush_time).ns,
                              .entry = op.signal.index,
                              .kind = InFlightKind::kFlush});
  return Outcome::kInFlight;
}

Step execute(Execution& run, const isa::SyncWait32& op) { return execute_wait(run, op); }
Step execute(Execution& run, const isa::SyncWait64& op) { return execute_wait(run, op); }

Step execute(Execution& run, const isa::ProgressStore& op) {
  run.state().progress = run.get(op.source);
  run.stream.events.progress_changed = true;
  return Step::kNext;
}

Step execute(Execution& run, const isa::ProgressLoad& op) {
  run.set(op.dst, run.state().progress);
  return Step::kNext;
}

Step execute(Execution& run, const isa::ProgressWait& op) {
  if (op.queue >= run.peers.size()) {
    return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
  }
  const std::uint64_t reached = run.peers[op.queue]->state.progress;
  const std::uint64_t wanted = run.get(op.source);
  const bool released = run.quirks.progress_wait == Quirks::ProgressWait::kAtLeast
                            ? reached >= wanted
                            : reached > wanted;
  if (released) return Step::kNext;
  run.stream.wait.for_progress = true;
  return run.blocked(BlockedReason::kProgressWait);
}

}  // namespace pantry::emu
