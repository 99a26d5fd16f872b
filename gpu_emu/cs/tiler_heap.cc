// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/tiler_heap.h"

#include <atomic>

#include "gpu_emu/cs/deferral.h"
#include "gpu_emu/cs/flow_ops.h"
#include "gpu_emu/datasheet/tiler_heap.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;
using datasheet::Exception;
using datasheet::cs::BlockedReason;
using datasheet::tiler_heap::chunk_address;

// The heap context, translated for writing.
class HeapContext {
 public:
  static bool is_valid(std::uint64_t address) { return address != 0 && is_aligned(address, 32); }

  // Pre: is_valid(address); the context does not cross a page then.
  MemoryStatus open(const Execution& run, std::uint64_t address) {
    const Translation t = run.translate(address, Access::kWrite);
    host_ = t.host;
    return t.status;
  }
  std::atomic_ref<std::uint32_t> passes_begun() const { return word<std::uint32_t>(0); }
  std::atomic_ref<std::uint32_t> passes_tiled() const { return word<std::uint32_t>(4); }
  std::atomic_ref<std::uint32_t> passes_rendered() const { return word<std::uint32_t>(8); }
  std::atomic_ref<std::uint64_t> first_free() const { return word<std::uint64_t>(16); }

 private:
  template <class Word>
  std::atomic_ref<Word> word(std::uint32_t offset) const {
    return std::atomic_ref<Word>(*reinterpret_cast<Word*>(host_ + offset));
  }
  std::uint8_t* host_ = nullptr;
};

std::atomic_ref<std::uint64_t> next_word(const Translation& chunk) {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(chunk.host));
}

// Puts the chunks from `first` to `last`, already linked, before the free ones.
void push_chunks(const HeapContext& heap, std::uint64_t first, const Translation& last) {
  next_word(last).store(heap.first_free().load());
  heap.first_free().store(first);
}

// What becomes of an operation for which the host has no memory.
Step go_without(Execution& run, const HeapContext& heap) {
  StreamState& state = run.state();
  const std::uint32_t rendered = heap.passes_rendered().load();
  if (heap.passes_tiled().load() != rendered) {
    state.heap_request = HeapRequest::kWaitForFragment;
    state.heap_passes_seen = rendered;
    return run.blocked(BlockedReason::kResource);
  }
  state.heap_request = HeapRequest::kNone;
  const bool has_handler = state.oom_handler != 0 && state.oom_handler_bytes != 0;
  if (!has_handler || state.handler_depth != 0 || state.handler_ran != 0) {
    return run.fault(Exception::kOom, state.heap_context);
  }
  if (!is_buffer(state.oom_handler, state.oom_handler_bytes)) {
    return run.fatal(Exception::kCsInstrInvalid, state.oom_handler);
  }
  if (state.depth == kMaxCallDepth) {
    return run.fatal(Exception::kCsCallStackOverflow, state.oom_handler);
  }
  state.handler_ran = 1;
  enter_buffer(state, state.oom_handler, state.oom_handler_bytes);
  state.handler_depth = state.depth;
  return Step::kMoved;
}

Step ask_host(Execution& run, const HeapContext& heap) {
  run.state().heap_request = HeapRequest::kAsked;
  run.stream.heap_report = {.vt_start = heap.passes_begun().load(),
                            .vt_end = heap.passes_tiled().load(),
                            .frag_end = heap.passes_rendered().load(),
                            .context = GpuVa{run.state().heap_context}};
  run.stream.events.heap_exhausted = true;
  return run.blocked(BlockedReason::kResource);
}

}  // namespace

Step take_chunk(Execution& run, std::uint64_t& word) {
  StreamState& state = run.state();
  if (!HeapContext::is_valid(state.heap_context)) {
    return run.fault(Exception::kDataInvalidFault, state.heap_context);
  }
  HeapContext heap;
  const MemoryStatus status = heap.open(run, state.heap_context);
  if (status != MemoryStatus::kOk) return run.refused(status, state.heap_context);

  switch (state.heap_request) {
    case HeapRequest::kNone:
      break;
    case HeapRequest::kAsked:
      return run.blocked(BlockedReason::kResource);
    case HeapRequest::kGranted: {
      const GpuVa last = chunk_address(state.heap_granted_last);
      const Translation chunk = run.translate(last.value, Access::kWrite);
      if (chunk.status != MemoryStatus::kOk) return run.refused(chunk.status, last.value);
      push_chunks(heap, state.heap_granted_first, chunk);
      state.heap_request = HeapRequest::kNone;
      break;
    }
    case HeapRequest::kRefused:
      return go_without(run, heap);
    case HeapRequest::kWaitForFragment:
      if (heap.first_free().load() == 0 &&
          heap.passes_rendered().load() == state.heap_passes_seen) {
        return run.blocked(BlockedReason::kResource);
      }
      state.heap_request = HeapRequest::kNone;
      break;
  }

  const std::uint64_t first = heap.first_free().load();
  if (first == 0) return ask_host(run, heap);
  const GpuVa address = chunk_address(first);
  const Translation chunk = run.translate(address.value, Access::kWrite);
  if (chunk.status != MemoryStatus::kOk) return run.refused(chunk.status, address.value);
  heap.first_free().store(next_word(chunk).exchange(0));
  word = first;
  return Step::kNext;
}

Step execute(Execution& run, const isa::HeapOperation& op) { return issue(run, op, 0, 0); }

Outcome perform(Execution& run, const isa::HeapOperation& op, const DeferredOp& sampled) {
  if (!HeapContext::is_valid(sampled.heap)) {
    return outcome_of_fault(run, Exception::kDataInvalidFault, sampled.heap);
  }
  HeapContext heap;
  const MemoryStatus status = heap.open(run, sampled.heap);
  if (status != MemoryStatus::kOk) return outcome_of_refusal(run, status, sampled.heap);
  switch (op.kind) {
    case isa::HeapOperationKind::kVertexTilerStarted:
      heap.passes_begun().fetch_add(1);
      break;
    case isa::HeapOperationKind::kVertexTilerCompleted:
      heap.passes_tiled().fetch_add(1);
      break;
    case isa::HeapOperationKind::kFragmentCompleted:
      heap.passes_rendered().fetch_add(1);
      break;
  }
  run.stream.events.heap_changed = true;
  return Outcome::kDone;
}

Step execute(Execution& run, const isa::FinishFragment& op) {
  return issue(run, op, run.get(op.first_chunk), run.get(op.last_chunk));
}

Outcome perform(Execution& run, const isa::FinishFragment& op, const DeferredOp& sampled) {
  const std::uint64_t first = sampled.address;
  const GpuVa last = chunk_address(sampled.data);
  const bool returns_chunks = first != 0 && sampled.data != 0;
  if (!returns_chunks && !op.increment_fragment_completed) return Outcome::kDone;

  if (!HeapContext::is_valid(sampled.heap)) {
    return outcome_of_fault(run, Exception::kDataInvalidFault, sampled.heap);
  }
  HeapContext heap;
  const MemoryStatus status = heap.open(run, sampled.heap);
  if (status != MemoryStatus::kOk) return outcome_of_refusal(run, status, sampled.heap);
  if (returns_chunks) {
    const Translation chunk = run.translate(last.value, Access::kWrite);
    if (chunk.status != MemoryStatus::kOk) {
      return outcome_of_refusal(run, chunk.status, last.value);
    }
    push_chunks(heap, first, chunk);
  }
  if (op.increment_fragment_completed) heap.passes_rendered().fetch_add(1);
  run.stream.events.heap_changed = true;
  return Outcome::kDone;
}

}  // namespace pantry::emu
