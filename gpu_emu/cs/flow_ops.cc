// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/flow_ops.h"

#include "base/check.h"
#include "gpu_emu/cs/gap.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;
using datasheet::Exception;
using datasheet::cs::BlockedReason;

CallFrame& top(StreamState& state) { return state.frames[state.depth - 2u]; }

bool is_taken(isa::BranchCondition condition, std::int32_t value) {
  switch (condition) {
    case isa::BranchCondition::kLessEqual:
      return value <= 0;
    case isa::BranchCondition::kGreater:
      return value > 0;
    case isa::BranchCondition::kEqual:
      return value == 0;
    case isa::BranchCondition::kNotEqual:
      return value != 0;
    case isa::BranchCondition::kLess:
      return value < 0;
    case isa::BranchCondition::kGreaterEqual:
      return value >= 0;
    case isa::BranchCondition::kAlways:
      return true;
  }
  return false;
}

enum class WaitBy { kInstruction, kOther };

Step wait_for_scoreboard(Execution& run, std::uint32_t mask, WaitBy by) {
  run.stream.wait.scoreboards = mask;
  run.stream.wait.for_wait_instruction = by == WaitBy::kInstruction;
  return run.blocked(BlockedReason::kScoreboardWait);
}

}  // namespace

void leave_finished_buffers(StreamState& state) {
  while (state.depth > 1 && top(state).pc == top(state).end) {
    const bool was_handler = state.depth == state.handler_depth;
    top(state) = {};
    --state.depth;
    if (was_handler) {
      // Back to the tiling operation that ran out of memory, which is tried again.
      state.handler_depth = 0;
      return;
    }
    if (state.depth == 1) {
      state.extract += isa::kInstructionBytes;
    } else {
      top(state).pc += isa::kInstructionBytes;
    }
  }
}

void enter_buffer(StreamState& state, std::uint64_t address, std::uint32_t bytes) {
  PANTRY_CHECK(bytes != 0 && state.depth < kMaxCallDepth);
  ++state.depth;
  top(state) = {.start = address, .pc = address, .end = address + bytes};
}

bool is_buffer(std::uint64_t address, std::uint32_t bytes) {
  return is_aligned(address, isa::kInstructionBytes) && is_aligned(bytes, isa::kInstructionBytes) &&
         address + bytes >= address;
}

Step execute(Execution& run, const isa::Wait& op) {
  if (!is_mask_allowed(run, op.mask)) {
    return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
  }
  const std::uint32_t mask = op.mask.bits & Scoreboard::kAllEntries;
  if (!run.state().scoreboard.clear(mask))
    return wait_for_scoreboard(run, mask, WaitBy::kInstruction);
  if (op.progress_increment) {
    ++run.state().progress;
    run.stream.events.progress_changed = true;
  }
  return Step::kNext;
}

Step execute(Execution& run, const isa::Branch& op) {
  if (!is_taken(op.condition, static_cast<std::int32_t>(run.get(op.value)))) return Step::kNext;
  // Relative to the next instruction: -1 is the branch itself.
  const auto distance = static_cast<std::uint64_t>((std::int64_t{op.offset} + 1) *
                                                   std::int64_t{isa::kInstructionBytes});
  StreamState& state = run.state();
  if (run.stream.in_ring()) {
    // What has been executed belongs to the host again, so the ring only goes forward.
    if (op.offset < 0 || distance > run.stream.insert - state.extract) {
      return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
    }
    state.extract += distance;
    return Step::kMoved;
  }
  CallFrame& frame = top(state);
  const std::uint64_t target = frame.pc + distance;
  // A target below the start is a huge number after the subtraction, which covers both ends.
  if (target - frame.start > frame.end - frame.start) {
    return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
  }
  frame.pc = target;
  leave_finished_buffers(state);
  return Step::kMoved;
}

Step execute(Execution& run, const isa::Call& op) {
  const std::uint64_t address = run.get(op.address);
  const std::uint32_t bytes = run.get(op.length);
  if (!is_buffer(address, bytes)) return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
  if (run.state().depth == kMaxCallDepth) {
    return run.fatal(Exception::kCsCallStackOverflow, address);
  }
  if (bytes == 0 || run.policy == StreamPolicy::kRingOnly) return Step::kNext;
  enter_buffer(run.state(), address, bytes);
  return Step::kMoved;
}

Step execute(Execution& run, const isa::Jump& op) {
  const std::uint64_t address = run.get(op.address);
  const std::uint32_t bytes = run.get(op.length);
  if (run.stream.in_ring() || !is_buffer(address, bytes)) {
    return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
  }
  top(run.state()) = {.start = address, .pc = address, .end = address + bytes};
  leave_finished_buffers(run.state());
  return Step::kMoved;
}

Step execute(Execution& run, const isa::ErrorBarrier&) {
  // Deferred operations hold their signal entry, so an idle scoreboard means that none is left.
  if (!run.state().scoreboard.clear(Scoreboard::kAllEntries)) {
    return wait_for_scoreboard(run, Scoreboard::kAllEntries, WaitBy::kOther);
  }
  run.state().in_error = 0;
  return Step::kNext;
}

Step execute(Execution& run, const isa::ProtRegion& op) {
  log_gap_once(run, op.kOpcode, "protected mode");
  return Step::kNext;
}

}  // namespace pantry::emu
