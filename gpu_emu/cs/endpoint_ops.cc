// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/endpoint_ops.h"

#include "gpu_emu/cs/descriptor_reads.h"
#include "gpu_emu/cs/gap.h"
#include "gpu_emu/cs/tiler.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;
using datasheet::Exception;
using datasheet::cs::Resources;

// Work of an instruction that has what it needs. With the endpoints' queue full the stream waits.
Step start(Execution& run, bool progress_increment) {
  StreamState& state = run.state();
  if (run.in_order() || run.quirks.endpoint_time.ns == 0) {
    if (progress_increment) {
      ++state.progress;
      run.stream.events.progress_changed = true;
    }
    return Step::kNext;
  }
  state.scoreboard.begin(state.endpoint_entry);
  state.in_flight.push(
      {.issued_ns = run.now.ns,
       .done_ns = (run.now + run.quirks.endpoint_time).ns,
       .entry = state.endpoint_entry,
       .kind = progress_increment ? InFlightKind::kEndpointProgress : InFlightKind::kEndpoint});
  return Step::kNext;
}

enum class UsesHeap : std::uint8_t { kNo, kYes };

// `resources`: any one of these bits of REQ_RESOURCE will do.
template <class I>
Step run_endpoint(Execution& run, const I& op, std::uint32_t resources, UsesHeap uses_heap) {
  const StreamState& state = run.state();
  if ((state.resources & resources) == 0 &&
      run.quirks.unrequested_run == Quirks::UnrequestedRun::kEndpointFault) {
    return run.fatal(Exception::kCsEndpointFault, isa::encode(op));
  }
  if (state.in_error != 0 && run.quirks.run_in_error_state == Quirks::RunInErrorState::kSkipped) {
    return Step::kNext;
  }
  if (state.in_flight.full()) return run.blocked(datasheet::cs::BlockedReason::kDeferred);
  if (const Step step = read_descriptors(run, op); step != Step::kNext) return step;
  if (uses_heap == UsesHeap::kYes) {
    const Step step = take_tiler_memory(run);
    if (step != Step::kNext) return step;
  }
  log_gap_once(run, op.kOpcode, "endpoint (shader cores or tiler)");
  return start(run, op.progress_increment);
}

}  // namespace

Step execute(Execution& run, const isa::RunCompute& op) {
  return run_endpoint(run, op, Resources::Compute::kMask, UsesHeap::kNo);
}
Step execute(Execution& run, const isa::RunComputeIndirect& op) {
  return run_endpoint(run, op, Resources::Compute::kMask, UsesHeap::kNo);
}
Step execute(Execution& run, const isa::RunTiling& op) {
  return run_endpoint(run, op, Resources::Tiler::kMask, UsesHeap::kYes);
}
Step execute(Execution& run, const isa::RunIdvs& op) {
  return run_endpoint(run, op, Resources::Idvs::kMask, UsesHeap::kYes);
}
Step execute(Execution& run, const isa::RunFragment& op) {
  return run_endpoint(run, op, Resources::Fragment::kMask, UsesHeap::kNo);
}
// Draws one primitive over everything; which endpoint sets it up is not documented.
Step execute(Execution& run, const isa::RunFullscreen& op) {
  return run_endpoint(run, op, Resources::Tiler::kMask | Resources::Idvs::kMask, UsesHeap::kNo);
}

Step execute(Execution& run, const isa::FinishTiling& op) {
  if (run.state().in_flight.full()) return run.blocked(datasheet::cs::BlockedReason::kDeferred);
  log_gap_once(run, op.kOpcode, "tiler");
  return start(run, op.progress_increment);
}

}  // namespace pantry::emu
