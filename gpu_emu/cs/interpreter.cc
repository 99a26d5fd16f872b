// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/interpreter.h"

#include <algorithm>
#include <atomic>

#include "base/check.h"
#include "base/log.h"
#include "gpu_emu/cs/deferral.h"
#include "gpu_emu/cs/endpoint_ops.h"
#include "gpu_emu/cs/flow_ops.h"
#include "gpu_emu/cs/memory_ops.h"
#include "gpu_emu/cs/register_ops.h"
#include "gpu_emu/cs/sync_ops.h"
#include "gpu_emu/cs/tiler_heap.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;
using datasheet::Exception;
using datasheet::cs::BlockedReason;

// Later architectures give some of them a meaning, which a v10 device does not know.
void log_unknown_bits(Execution& run, std::uint64_t word, std::uint64_t bits) {
  const isa::Opcode opcode = isa::OpcodeField::get(word);
  const LoggedGaps seen = LoggedGaps{1} << static_cast<unsigned>(opcode);
  if ((run.logged_unknowns & seen) != 0) return;
  run.logged_unknowns |= seen;
  log_gap("gpu_emu/cs", "{}: bits {:#x} have no meaning on v10 and are ignored", name_of(opcode),
          bits);
}

template <class I>
Step execute_as(Execution& run, std::uint64_t word) {
  const I op = isa::decode_as<I>(word);
  if (!I::Layout::are_operands_defined(op)) return run.fatal(Exception::kCsInstrInvalid, word);
  constexpr std::uint64_t kUnknown = ~(I::Layout::kMask | isa::OpcodeField::kMask);
  if ((word & kUnknown) != 0) [[unlikely]]
    log_unknown_bits(run, word, word & kUnknown);
  return execute(run, op);
}

// Inlined into the loop that runs a called buffer.
[[gnu::always_inline]] inline Step execute_word(Execution& run, std::uint64_t word) {
  switch (isa::OpcodeField::get(word)) {
#define PANTRY_EXECUTE_(type) \
  case isa::type::kOpcode:    \
    return execute_as<isa::type>(run, word)
    PANTRY_EXECUTE_(Nop);
    PANTRY_EXECUTE_(Move48);
    PANTRY_EXECUTE_(Move32);
    PANTRY_EXECUTE_(Wait);
    PANTRY_EXECUTE_(RunCompute);
    PANTRY_EXECUTE_(RunTiling);
    PANTRY_EXECUTE_(RunIdvs);
    PANTRY_EXECUTE_(RunFragment);
    PANTRY_EXECUTE_(RunFullscreen);
    PANTRY_EXECUTE_(FinishTiling);
    PANTRY_EXECUTE_(FinishFragment);
    PANTRY_EXECUTE_(AddImm32);
    PANTRY_EXECUTE_(AddImm64);
    PANTRY_EXECUTE_(Umin32);
    PANTRY_EXECUTE_(LoadMultiple);
    PANTRY_EXECUTE_(StoreMultiple);
    PANTRY_EXECUTE_(Branch);
    PANTRY_EXECUTE_(SetSbEntry);
    PANTRY_EXECUTE_(ProgressWait);
    PANTRY_EXECUTE_(SetExceptionHandler);
    PANTRY_EXECUTE_(Call);
    PANTRY_EXECUTE_(Jump);
    PANTRY_EXECUTE_(ReqResource);
    PANTRY_EXECUTE_(FlushCache2);
    PANTRY_EXECUTE_(SyncAdd32);
    PANTRY_EXECUTE_(SyncSet32);
    PANTRY_EXECUTE_(SyncWait32);
    PANTRY_EXECUTE_(StoreState);
    PANTRY_EXECUTE_(ProtRegion);
    PANTRY_EXECUTE_(ProgressStore);
    PANTRY_EXECUTE_(ProgressLoad);
    PANTRY_EXECUTE_(RunComputeIndirect);
    PANTRY_EXECUTE_(ErrorBarrier);
    PANTRY_EXECUTE_(HeapSet);
    PANTRY_EXECUTE_(HeapOperation);
    PANTRY_EXECUTE_(TracePoint);
    PANTRY_EXECUTE_(SyncAdd64);
    PANTRY_EXECUTE_(SyncSet64);
    PANTRY_EXECUTE_(SyncWait64);
#undef PANTRY_EXECUTE_
  }
  return run.fatal(Exception::kCsInstrInvalid, word);
}

// Few of them, so that one copy of execute_word is enough where it matters.
[[gnu::noinline]] Step execute_ring_word(Execution& run, std::uint64_t word) {
  return execute_word(run, word);
}

bool is_transfer(std::uint64_t word) {
  const isa::Opcode opcode = isa::OpcodeField::get(word);
  return opcode == isa::Opcode::kLoadMultiple || opcode == isa::Opcode::kStoreMultiple;
}

// Pre: is_transfer(word), which is at `code`.
[[gnu::noinline]] std::uint32_t execute_row(Execution& run, std::uint64_t word, std::uint8_t* code,
                                            std::uint32_t limit) {
  return isa::OpcodeField::get(word) == isa::Opcode::kLoadMultiple
             ? transfer_in_a_row<std::uint32_t, isa::LoadMultiple>(run, code, limit)
             : transfer_in_a_row<const std::uint32_t, isa::StoreMultiple>(run, code, limit);
}

// Where instructions come from: the bytes around the last one, as far as one translation reaches.
// Lives for one run, within which host pointers stay good.
class Fetcher {
 public:
  Step fetch(const Execution& run, std::uint64_t pc, std::uint64_t& word) {
    if (pc - first_ >= bytes_) {  // also when pc is below first_
      const Translation t = run.translate(pc, Access::kRead);
      if (t.status != MemoryStatus::kOk) return run.refused(t.status, pc);
      PANTRY_CHECK(t.bytes >= isa::kInstructionBytes);
      first_ = pc;
      bytes_ = align_down(t.bytes, isa::kInstructionBytes);
      host_ = t.host;
    }
    auto& memory = *reinterpret_cast<std::uint64_t*>(host_ + (pc - first_));
    word = std::atomic_ref<std::uint64_t>(memory).load(std::memory_order_relaxed);
    return Step::kNext;
  }
  // Of the instruction that was fetched last, and how many from there on need no translation.
  std::uint8_t* code(std::uint64_t pc) const { return host_ + (pc - first_); }
  std::uint64_t left(std::uint64_t pc) const {
    return (bytes_ - (pc - first_)) / isa::kInstructionBytes;
  }

 private:
  std::uint64_t first_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint8_t* host_ = nullptr;
};

}  // namespace

Interpreter::Interpreter(const Quirks& quirks, GpuMemory& memory, DeviceServices& services,
                         StreamPolicy policy)
    : quirks_(quirks), memory_(memory), services_(services), policy_(policy) {}

Interpreter::Result Interpreter::run(Stream& stream, const StreamPeers& peers,
                                     std::uint64_t* extract, std::uint32_t limit, TimePoint now) {
  PANTRY_CHECK(stream.state.faulted == 0 && stream.state.dead == 0 && limit != 0);
  Execution run{stream,           peers,   quirks_, memory_, services_, logged_gaps_,
                logged_unknowns_, policy_, now,     {},      {}};
  stream.blocked = BlockedReason::kUnblocked;
  stream.wait = {};
  if (stream.state.fault_passes != 0) {
    stream.state.fault_passes = 0;
    advance(stream.state);
  }
  const Result result = run_instructions(run, extract, limit);
  publish(stream, extract);
  return result;
}

Interpreter::Result Interpreter::run_instructions(Execution& run, std::uint64_t* extract,
                                                  std::uint32_t limit) {
  StreamState& state = run.state();
  settle_in_flight(run);
  Step step = settle_deferred(run);
  if (step != Step::kNext) return {stop_at(run, step, AfterFault::kSameInstruction), 0};

  const bool always_publishes = quirks_.extract_update == Quirks::ExtractUpdate::kEveryInstruction;
  Fetcher fetcher;
  for (std::uint32_t executed = 0;;) {
    if (run.stream.in_ring() && state.extract == run.stream.insert) {
      return {StreamStop::kRingEmpty, executed};
    }
    if (executed == limit) return {StreamStop::kLimit, executed};
    if (executed % kYieldInterval == kYieldInterval - 1 && services_.yield_requested()) {
      return {StreamStop::kLimit, executed};
    }
    std::uint64_t word = 0;
    // Until the next of these questions has to be asked.
    const std::uint32_t pause =
        std::min(limit, (executed + 1) / kYieldInterval * kYieldInterval + kYieldInterval - 1);
    if (run.stream.in_ring()) {
      step = fetcher.fetch(run, run.stream.ring_pc().value, word);
      if (step == Step::kNext) step = execute_ring_word(run, word);
      if (step == Step::kNext) state.extract += isa::kInstructionBytes;
    } else {
      CallFrame& frame = state.frames[state.depth - 2u];
      for (;;) {
        step = fetcher.fetch(run, frame.pc, word);
        if (step != Step::kNext) break;
        if (is_transfer(word)) {
          const auto limit_of_row = static_cast<std::uint32_t>(
              std::min({fetcher.left(frame.pc), (frame.end - frame.pc) / isa::kInstructionBytes,
                        std::uint64_t{pause - executed}}));
          if (const std::uint32_t count =
                  execute_row(run, word, fetcher.code(frame.pc), limit_of_row)) {
            // But for the last one, which is counted like any other.
            executed += count - 1;
            frame.pc += isa::kInstructionBytes * std::uint64_t{count - 1};
          } else {
            step = execute_word(run, word);
          }
        } else {
          step = execute_word(run, word);
        }
        if (step != Step::kNext) break;
        frame.pc += isa::kInstructionBytes;
        if (frame.pc == frame.end) {
          leave_finished_buffers(state);
          break;
        }
        if (executed + 1 == pause) break;
        ++executed;
      }
    }
    if (step != Step::kNext && step != Step::kMoved) {
      return {stop_at(run, step, AfterFault::kNextInstruction), executed};
    }
    ++executed;
    if (run.stream.in_ring() && (state.extract % 64 == 0 || always_publishes)) {
      publish(run.stream, extract);
    }
  }
}

StreamStop Interpreter::stop_at(Execution& run, Step step, AfterFault after_fault) {
  StreamState& state = run.state();
  switch (step) {
    case Step::kNext:
    case Step::kMoved:
      break;
    case Step::kBlocked:
      return StreamStop::kBlocked;
    case Step::kStalled:
      return StreamStop::kStalled;
    case Step::kFault:
      state.in_error = 1;
      state.faulted = 1;
      state.fault_passes = after_fault == AfterFault::kNextInstruction ? 1 : 0;
      return StreamStop::kFault;
    case Step::kFatal:
      state.dead = 1;
      return StreamStop::kFatal;
    case Step::kAborted:
      state.dead = 1;
      return StreamStop::kAborted;
  }
  return StreamStop::kLimit;
}

void Interpreter::publish(const Stream& stream, std::uint64_t* extract) const {
  if (extract == nullptr) return;
  std::atomic_ref<std::uint64_t>(*extract).store(stream.state.extract, std::memory_order_release);
}

}  // namespace pantry::emu
