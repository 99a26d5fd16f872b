// SPDX-License-Identifier: MIT
//
// The instructions with which a stream controls itself. Positions: cs_layout.h. Sources: [M], [I].
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/cs_layout.h"

namespace pantry::datasheet::isa {

// Blocks until all entries of the mask are zero.
struct Wait {
  ScoreboardMask mask = {};
  bool progress_increment = false;

  static constexpr Opcode kOpcode = Opcode::kWait;
  using Layout = Fields<At<&Wait::progress_increment, 32, 32>, At<&Wait::mask, 31, 16>>;
  constexpr bool operator==(const Wait&) const = default;
};

struct Branch {
  Reg32 value = {};
  BranchCondition condition = BranchCondition::kAlways;
  std::int16_t offset = 0;  // instructions from the next one, within the current buffer

  static constexpr Opcode kOpcode = Opcode::kBranch;
  using Layout = Fields<At<&Branch::value, 47, 40>, At<&Branch::condition, 30, 28>,
                        At<&Branch::offset, 15, 0>>;
  constexpr bool operator==(const Branch&) const = default;
};

// Runs [address, address + length) and returns at its end.
struct Call {
  Reg64 address = {};
  Reg32 length = {};  // bytes, a multiple of 8

  static constexpr Opcode kOpcode = Opcode::kCall;
  using Layout = Fields<At<&Call::address, 47, 40>, At<&Call::length, 39, 32>>;
  constexpr bool operator==(const Call&) const = default;
};

// Replaces the current buffer; the end of the new one returns to where the old one would have. Not
// from the ring.
struct Jump {
  Reg64 address = {};
  Reg32 length = {};

  static constexpr Opcode kOpcode = Opcode::kJump;
  using Layout = Fields<At<&Jump::address, 47, 40>, At<&Jump::length, 39, 32>>;
  constexpr bool operator==(const Jump&) const = default;
};

// The entries that later endpoint work (RUN_*, FINISH_TILING) and other work (LOAD, STORE) count
// on.
struct SetSbEntry {
  Scoreboard endpoint = {};
  Scoreboard other = {};

  static constexpr Opcode kOpcode = Opcode::kSetSbEntry;
  using Layout = Fields<At<&SetSbEntry::other, 7, 4>, At<&SetSbEntry::endpoint, 3, 0>>;
  constexpr bool operator==(const SetSbEntry&) const = default;
};

// What to call when a tiler runs out of memory; address or length 0 takes it back.
struct SetExceptionHandler {
  Reg64 address = {};
  Reg32 length = {};
  ExceptionHandlerKind kind = ExceptionHandlerKind::kTilerOom;

  static constexpr Opcode kOpcode = Opcode::kSetExceptionHandler;
  using Layout =
      Fields<At<&SetExceptionHandler::address, 47, 40>, At<&SetExceptionHandler::length, 39, 32>,
             At<&SetExceptionHandler::kind, 7, 0>>;
  constexpr bool operator==(const SetExceptionHandler&) const = default;
};

// Waits for outstanding work and ends the error state of the stream.
struct ErrorBarrier {
  static constexpr Opcode kOpcode = Opcode::kErrorBarrier;
  using Layout = Fields<>;
  constexpr bool operator==(const ErrorBarrier&) const = default;
};

// The following `words` instructions may run in protected mode.
struct ProtRegion {
  std::uint16_t words = 0;

  static constexpr Opcode kOpcode = Opcode::kProtRegion;
  using Layout = Fields<At<&ProtRegion::words, 15, 0>>;
  constexpr bool operator==(const ProtRegion&) const = default;
};

}  // namespace pantry::datasheet::isa
