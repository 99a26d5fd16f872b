// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/endpoint_ops.h"

#include <algorithm>

#include "gpu_emu/cs/descriptor_reads.h"
#include "gpu_emu/cs/gap.h"
#include "gpu_emu/cs/tiler.h"
#include "gpu_emu/datasheet/cs_staging.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;
namespace staging = datasheet::isa::staging;
using datasheet::Exception;
using datasheet::cs::Resources;

// Units of Quirks::work_time; past 64 bits as many as there are. Of what an instruction's operands
// do not tell, none.
template <class... Factors>
std::uint64_t product(Factors... factors) {
  std::uint64_t result = 1;
  const bool overflows = (__builtin_mul_overflow(result, std::uint64_t{factors}, &result) || ...);
  return overflows && !((factors == 0) || ...) ? UINT64_MAX : result;
}
template <class I>
std::uint64_t units_of(const Execution&, const I&) {
  return 0;
}
std::uint64_t units_of(const Execution& run, const isa::RunCompute&) {
  const auto size = [&](std::uint8_t axis) {
    return run.get(isa::Reg32{static_cast<std::uint8_t>(staging::compute::kJobSize + axis)});
  };
  return product(size(0), size(1), size(2));
}
std::uint64_t vertices(const Execution& run) {
  return product(run.get(isa::Reg32{staging::idvs::kIndexCount}),
                 run.get(isa::Reg32{staging::idvs::kInstanceCount}));
}
std::uint64_t units_of(const Execution& run, const isa::RunTiling&) { return vertices(run); }
std::uint64_t units_of(const Execution& run, const isa::RunIdvs&) { return vertices(run); }
std::uint64_t units_of(const Execution& run, const isa::RunFragment&) {
  using staging::fragment::Bounds;
  constexpr std::uint32_t kTilePixels = 16;
  const std::uint32_t min = run.get(isa::Reg32{staging::fragment::kBoundsMin});
  const std::uint32_t max = run.get(isa::Reg32{staging::fragment::kBoundsMax});
  // Both ends are inside: from pixel 0 to pixel 16 there are two tiles.
  const auto tiles = [](std::uint32_t first, std::uint32_t last) {
    return last < first ? 0u : last / kTilePixels - first / kTilePixels + 1;
  };
  return product(tiles(Bounds::X::get(min), Bounds::X::get(max)),
                 tiles(Bounds::Y::get(min), Bounds::Y::get(max)));
}

Duration time_of(const Execution& run, std::uint64_t units) {
  // Long after everybody's timeout, and no sum with the time of day overflows.
  constexpr std::uint64_t kLongest = static_cast<std::uint64_t>(seconds(24 * 3600).ns);
  std::uint64_t ns = 0;
  if (__builtin_mul_overflow(units, static_cast<std::uint64_t>(run.quirks.work_time.ns), &ns))
    ns = kLongest;
  return run.quirks.endpoint_time + nanoseconds(static_cast<std::int64_t>(std::min(ns, kLongest)));
}

// Work of an instruction that has what it needs.
Step start(Execution& run, EndpointKind endpoint, bool progress_increment, Duration time) {
  StreamState& state = run.state();
  if (run.in_order() || time.ns == 0) {
    if (progress_increment) {
      ++state.progress;
      run.stream.events.progress_changed = true;
    }
    return Step::kNext;
  }
  state.scoreboard.begin(state.endpoint_entry);
  state.in_flight.push(
      {.done_ns = InFlightOp::kNotDone,
       .work_ns = time.ns,
       .entry = state.endpoint_entry,
       .kind = progress_increment ? InFlightKind::kEndpointProgress : InFlightKind::kEndpoint,
       .endpoint = endpoint});
  return Step::kNext;
}

enum class UsesHeap : std::uint8_t { kNo, kYes };

// `resources`: any one of these bits of REQ_RESOURCE will do.
template <class I>
Step run_endpoint(Execution& run, const I& op, std::uint32_t resources, EndpointKind endpoint,
                  UsesHeap uses_heap) {
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
  log_gap_once(run, op.kOpcode, "shaders");
  return start(run, endpoint, op.progress_increment, time_of(run, units_of(run, op)));
}

}  // namespace

Step execute(Execution& run, const isa::RunCompute& op) {
  return run_endpoint(run, op, Resources::Compute::kMask, EndpointKind::kCompute, UsesHeap::kNo);
}
Step execute(Execution& run, const isa::RunComputeIndirect& op) {
  return run_endpoint(run, op, Resources::Compute::kMask, EndpointKind::kCompute, UsesHeap::kNo);
}
Step execute(Execution& run, const isa::RunTiling& op) {
  return run_endpoint(run, op, Resources::Tiler::kMask, EndpointKind::kTiler, UsesHeap::kYes);
}
Step execute(Execution& run, const isa::RunIdvs& op) {
  return run_endpoint(run, op, Resources::Idvs::kMask, EndpointKind::kTiler, UsesHeap::kYes);
}
Step execute(Execution& run, const isa::RunFragment& op) {
  return run_endpoint(run, op, Resources::Fragment::kMask, EndpointKind::kFragment, UsesHeap::kNo);
}
// Draws one primitive over everything; which endpoint sets it up is not documented.
Step execute(Execution& run, const isa::RunFullscreen& op) {
  return run_endpoint(run, op, Resources::Tiler::kMask | Resources::Idvs::kMask,
                      EndpointKind::kTiler, UsesHeap::kNo);
}

Step execute(Execution& run, const isa::FinishTiling& op) {
  if (run.state().in_flight.full()) return run.blocked(datasheet::cs::BlockedReason::kDeferred);
  log_gap_once(run, op.kOpcode, "tiler");
  return start(run, EndpointKind::kTiler, op.progress_increment, time_of(run, 0));
}

}  // namespace pantry::emu
