// SPDX-License-Identifier: MIT
//
// The instructions about the tiler heap (tiler_heap.h) and the passes that fill and empty it.
// "Deferred" is explained in cs_sync_instructions.h. Positions: cs_layout.h. Sources: [M].
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/cs_layout.h"

namespace pantry::datasheet::isa {

struct FinishTiling {
  bool progress_increment = false;

  static constexpr Opcode kOpcode = Opcode::kFinishTiling;
  using Layout = Fields<At<&FinishTiling::progress_increment, 32, 32>>;
  constexpr bool operator==(const FinishTiling&) const = default;
};

// Gives the chunks from `first_chunk` to `last_chunk` back to the heap. Deferred when `wait` is not
// empty.
struct FinishFragment {
  bool increment_fragment_completed = false;
  Reg64 first_chunk = {};
  Reg64 last_chunk = {};
  ScoreboardMask wait = {};
  Scoreboard signal = {};

  static constexpr Opcode kOpcode = Opcode::kFinishFragment;
  using Layout =
      Fields<At<&FinishFragment::signal, 51, 48>, At<&FinishFragment::first_chunk, 47, 40>,
             At<&FinishFragment::last_chunk, 39, 32>, At<&FinishFragment::wait, 31, 16>,
             At<&FinishFragment::increment_fragment_completed, 0, 0>>;
  constexpr bool operator==(const FinishFragment&) const = default;
};

// Selects the tiler heap by the address of its context (tiler_heap.h).
struct HeapSet {
  Reg64 address = {};

  static constexpr Opcode kOpcode = Opcode::kHeapSet;
  using Layout = Fields<At<&HeapSet::address, 47, 40>>;
  constexpr bool operator==(const HeapSet&) const = default;
};

// Counts a pass on the selected heap. Deferred when `wait` is not empty.
struct HeapOperation {
  HeapOperationKind kind = HeapOperationKind::kVertexTilerStarted;
  ScoreboardMask wait = {};
  Scoreboard signal = {};

  static constexpr Opcode kOpcode = Opcode::kHeapOperation;
  using Layout = Fields<At<&HeapOperation::signal, 51, 48>, At<&HeapOperation::kind, 33, 32>,
                        At<&HeapOperation::wait, 31, 16>>;
  constexpr bool operator==(const HeapOperation&) const = default;
};

}  // namespace pantry::datasheet::isa
