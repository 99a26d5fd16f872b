// SPDX-License-Identifier: MIT
//
// What the instructions of a command stream name: registers, scoreboard entries, conditions and
// modes, in the numbering of architecture v10. Every operand type says with is_defined() whether
// the hardware has such a value; a stream may hold any bits, so the types can hold undefined ones
// too. Sources: [M] genxml, [K]. No state, no lock, no allocation.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "gpu_emu/datasheet/cache_flush.h"

namespace pantry::datasheet::isa {

inline constexpr unsigned kRegisterCount = 96;
inline constexpr unsigned kScoreboardCount = 8;
inline constexpr unsigned kCallDepth = 8;  // buffers, the ring included
inline constexpr unsigned kInstructionBytes = 8;

// A register of 32 bits: r0 to r95.
struct Reg32 {
  std::uint8_t index = 0;

  constexpr bool operator==(const Reg32&) const = default;
  constexpr std::uint64_t number() const { return index; }
  static constexpr Reg32 from_number(std::uint64_t n) { return {static_cast<std::uint8_t>(n)}; }
};
constexpr bool is_defined(Reg32 reg) { return reg.index < kRegisterCount; }

// An even-aligned pair of registers, named by its low half: {66} is r66 (low word) and r67.
struct Reg64 {
  std::uint8_t index = 0;

  constexpr bool operator==(const Reg64&) const = default;
  constexpr Reg32 low() const { return {index}; }
  constexpr Reg32 high() const { return {static_cast<std::uint8_t>(index + 1)}; }
  constexpr std::uint64_t number() const { return index; }
  static constexpr Reg64 from_number(std::uint64_t n) { return {static_cast<std::uint8_t>(n)}; }
};
constexpr bool is_defined(Reg64 reg) { return reg.index % 2 == 0 && reg.index < kRegisterCount; }

// Names for writing streams: r(70), d(68). An undefined register is a bug.
constexpr Reg32 r(unsigned index) {
  PANTRY_CHECK(index < kRegisterCount);
  return {static_cast<std::uint8_t>(index)};
}
constexpr Reg64 d(unsigned index) {
  PANTRY_CHECK(index < kRegisterCount && index % 2 == 0);
  return {static_cast<std::uint8_t>(index)};
}

// One scoreboard entry.
struct Scoreboard {
  std::uint8_t index = 0;

  constexpr bool operator==(const Scoreboard&) const = default;
  constexpr std::uint64_t number() const { return index; }
  static constexpr Scoreboard from_number(std::uint64_t n) {
    return {static_cast<std::uint8_t>(n)};
  }
};
constexpr bool is_defined(Scoreboard entry) { return entry.index < kScoreboardCount; }

// A set of scoreboard entries, bit n for entry n. Bits 15:8 name none on v10; IGT sets them all the
// same, so they count as defined here and the reader decides (Quirks::high_wait_bits).
struct ScoreboardMask {
  std::uint16_t bits = 0;

  constexpr bool operator==(const ScoreboardMask&) const = default;
  constexpr std::uint64_t number() const { return bits; }
  static constexpr ScoreboardMask from_number(std::uint64_t n) {
    return {static_cast<std::uint16_t>(n)};
  }
};
inline constexpr ScoreboardMask kNoScoreboards = {0};
inline constexpr ScoreboardMask kAllScoreboards = {(1u << kScoreboardCount) - 1};

constexpr bool is_defined(CacheFlush flush) { return flush <= CacheFlush::kCleanInvalidate; }

// Of a signed register compared with 0.
enum class BranchCondition : std::uint8_t {
  kLessEqual = 0,
  kGreater = 1,
  kEqual = 2,
  kNotEqual = 3,
  kLess = 4,
  kGreaterEqual = 5,
  kAlways = 6,
};
constexpr bool is_defined(BranchCondition condition) {
  return condition <= BranchCondition::kAlways;
}

// What releases a SYNC_WAIT, of the object's value compared, unsigned, with the reference. Mesa
// knows these two. The status word of a blocked stream has a third, 5 for "at least" [K], but no
// source shows a v10 stream that asks for it, and Linux would take it for kLessEqual.
enum class SyncCondition : std::uint8_t { kLessEqual = 0, kGreater = 1 };
constexpr bool is_defined(SyncCondition condition) { return condition <= SyncCondition::kGreater; }

// Who hears of a SYNC_ADD or SYNC_SET: the host as well (CSG_SYNC_UPDATE), or only the streams of
// the group.
enum class SyncScope : std::uint8_t { kSystem = 0, kGroup = 2 };
constexpr bool is_defined(SyncScope scope) {
  return scope == SyncScope::kSystem || scope == SyncScope::kGroup;
}

enum class TaskAxis : std::uint8_t { kX = 0, kY = 1, kZ = 2 };
constexpr bool is_defined(TaskAxis axis) { return axis <= TaskAxis::kZ; }

enum class TileOrder : std::uint8_t {
  kZOrder = 0,
  kHorizontal = 1,
  kVertical = 2,
  kReverseHorizontal = 5,
  kReverseVertical = 6,
};
constexpr bool is_defined(TileOrder order) {
  return order <= TileOrder::kVertical || order == TileOrder::kReverseHorizontal ||
         order == TileOrder::kReverseVertical;
}

// What STORE_STATE writes.
enum class StateKind : std::uint8_t {
  kTimestamp = 0,
  kCycleCount = 1,
  kDisjointCount = 2,
  kErrorStatus = 3,
};
constexpr bool is_defined(StateKind) { return true; }  // its two bits have no other values

enum class HeapOperationKind : std::uint8_t {
  kVertexTilerStarted = 0,
  kVertexTilerCompleted = 1,
  kFragmentCompleted = 3,
};
constexpr bool is_defined(HeapOperationKind kind) {
  return kind <= HeapOperationKind::kVertexTilerCompleted ||
         kind == HeapOperationKind::kFragmentCompleted;
}

enum class ExceptionHandlerKind : std::uint8_t { kTilerOom = 2 };
constexpr bool is_defined(ExceptionHandlerKind kind) {
  return kind == ExceptionHandlerKind::kTilerOom;
}

}  // namespace pantry::datasheet::isa
