// SPDX-License-Identifier: MIT
//
// The instructions that touch nothing but registers and the stream's own settings. Inline: they are
// most of what streams consist of. See execution.h for the rules.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_data_instructions.h"
#include "gpu_emu/datasheet/cs_flow_instructions.h"
#include "gpu_emu/datasheet/cs_heap_instructions.h"
#include "gpu_emu/datasheet/cs_run_instructions.h"

namespace pantry::emu {

inline Step execute(Execution&, const datasheet::isa::Nop&) { return Step::kNext; }

inline Step execute(Execution& run, const datasheet::isa::Move48& op) {
  run.set(op.dst, op.imm);
  return Step::kNext;
}

inline Step execute(Execution& run, const datasheet::isa::Move32& op) {
  run.set(op.dst, op.imm);
  return Step::kNext;
}

inline Step execute(Execution& run, const datasheet::isa::AddImm32& op) {
  run.set(op.dst, run.get(op.src) + static_cast<std::uint32_t>(op.imm));
  return Step::kNext;
}

// The immediate is sign-extended: -1 subtracts one from all 64 bits.
inline Step execute(Execution& run, const datasheet::isa::AddImm64& op) {
  run.set(op.dst, run.get(op.src) + static_cast<std::uint64_t>(std::int64_t{op.imm}));
  return Step::kNext;
}

inline Step execute(Execution& run, const datasheet::isa::Umin32& op) {
  run.set(op.dst, std::min(run.get(op.src0), run.get(op.src1)));
  return Step::kNext;
}

inline Step execute(Execution& run, const datasheet::isa::SetSbEntry& op) {
  run.state().endpoint_entry = op.endpoint.index;
  run.state().other_entry = op.other.index;
  return Step::kNext;
}

inline Step execute(Execution& run, const datasheet::isa::SetExceptionHandler& op) {
  run.state().oom_handler = run.get(op.address);
  run.state().oom_handler_bytes = run.get(op.length);
  return Step::kNext;
}

// Granted at once: every stream has endpoints of its own.
inline Step execute(Execution& run, const datasheet::isa::ReqResource& op) {
  using datasheet::cs::Resources;
  run.state().resources = static_cast<std::uint8_t>(
      Resources::Compute::of(op.compute) | Resources::Fragment::of(op.fragment) |
      Resources::Tiler::of(op.tiler) | Resources::Idvs::of(op.idvs));
  return Step::kNext;
}

inline Step execute(Execution& run, const datasheet::isa::HeapSet& op) {
  run.state().heap_context = run.get(op.address);
  return Step::kNext;
}

}  // namespace pantry::emu
