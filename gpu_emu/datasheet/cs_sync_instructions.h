// SPDX-License-Identifier: MIT
//
// The instructions that order a stream against caches, other streams and the host. Those with
// `wait` and `signal` are deferred when `wait` is not empty: the stream goes on, the operation runs
// when the entries of `wait` are zero, and `signal` is held until it has. Positions: cs_layout.h.
// Sources: [M], [K].
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/cs_layout.h"

namespace pantry::datasheet::isa {

// Skipped when the flush id is not 0 and LATEST_FLUSH has moved past it. Always asynchronous.
struct FlushCache2 {
  CacheFlush l2 = CacheFlush::kNone;
  CacheFlush load_store = CacheFlush::kNone;
  CacheFlush other = CacheFlush::kNone;
  Reg32 flush_id = {};
  ScoreboardMask wait = {};
  Scoreboard signal = {};

  static constexpr Opcode kOpcode = Opcode::kFlushCache2;
  using Layout = Fields<At<&FlushCache2::signal, 51, 48>, At<&FlushCache2::flush_id, 47, 40>,
                        At<&FlushCache2::wait, 31, 16>, At<&FlushCache2::other, 11, 8>,
                        At<&FlushCache2::load_store, 7, 4>, At<&FlushCache2::l2, 3, 0>>;
  constexpr bool operator==(const FlushCache2&) const = default;
};

// The four that change a sync object (sync_object.h) differ in opcode and in the width of the data.
template <Opcode kCode, class Data>
struct SyncUpdate {
  Reg64 address = {};
  Data data = {};
  bool error_propagate = false;
  SyncScope scope = SyncScope::kSystem;
  ScoreboardMask wait = {};
  Scoreboard signal = {};

  static constexpr Opcode kOpcode = kCode;
  using Layout = Fields<At<&SyncUpdate::signal, 51, 48>, At<&SyncUpdate::address, 47, 40>,
                        At<&SyncUpdate::data, 39, 32>, At<&SyncUpdate::wait, 31, 16>,
                        At<&SyncUpdate::scope, 2, 1>, At<&SyncUpdate::error_propagate, 0, 0>>;
  constexpr bool operator==(const SyncUpdate&) const = default;
};
using SyncAdd32 = SyncUpdate<Opcode::kSyncAdd32, Reg32>;
using SyncSet32 = SyncUpdate<Opcode::kSyncSet32, Reg32>;
using SyncAdd64 = SyncUpdate<Opcode::kSyncAdd64, Reg64>;
using SyncSet64 = SyncUpdate<Opcode::kSyncSet64, Reg64>;

// Blocks until the object compares with `reference` as the condition says.
template <Opcode kCode, class Data>
struct SyncWaitFor {
  Reg64 address = {};
  Data reference = {};
  SyncCondition condition = SyncCondition::kLessEqual;
  bool error_reject = false;

  static constexpr Opcode kOpcode = kCode;
  using Layout = Fields<At<&SyncWaitFor::address, 47, 40>, At<&SyncWaitFor::reference, 39, 32>,
                        At<&SyncWaitFor::condition, 31, 28>, At<&SyncWaitFor::error_reject, 0, 0>>;
  constexpr bool operator==(const SyncWaitFor&) const = default;
};
using SyncWait32 = SyncWaitFor<Opcode::kSyncWait32, Reg32>;
using SyncWait64 = SyncWaitFor<Opcode::kSyncWait64, Reg64>;

// Writes 64 bits of state to address + offset.
struct StoreState {
  Reg64 address = {};
  std::int16_t offset = 0;  // bytes
  StateKind state = StateKind::kTimestamp;
  ScoreboardMask wait = {};
  Scoreboard signal = {};

  static constexpr Opcode kOpcode = Opcode::kStoreState;
  using Layout = Fields<At<&StoreState::signal, 51, 48>, At<&StoreState::address, 47, 40>,
                        At<&StoreState::state, 33, 32>, At<&StoreState::wait, 31, 16>,
                        At<&StoreState::offset, 15, 0>>;
  constexpr bool operator==(const StoreState&) const = default;
};

// Every stream has a progress number of 64 bits: these write and read one's own and wait for
// another stream's.
struct ProgressStore {
  Reg64 source = {};

  static constexpr Opcode kOpcode = Opcode::kProgressStore;
  using Layout = Fields<At<&ProgressStore::source, 47, 40>>;
  constexpr bool operator==(const ProgressStore&) const = default;
};

struct ProgressLoad {
  Reg64 dst = {};

  static constexpr Opcode kOpcode = Opcode::kProgressLoad;
  using Layout = Fields<At<&ProgressLoad::dst, 55, 48>>;
  constexpr bool operator==(const ProgressLoad&) const = default;
};

struct ProgressWait {
  Reg64 source = {};
  std::uint8_t queue = 0;

  static constexpr Opcode kOpcode = Opcode::kProgressWait;
  using Layout = Fields<At<&ProgressWait::source, 47, 40>, At<&ProgressWait::queue, 4, 0>>;
  constexpr bool operator==(const ProgressWait&) const = default;
};

// Shows registers to a tracer.
struct TracePoint {
  Reg32 base = {};
  std::uint8_t register_count = 0;
  ScoreboardMask wait = {};
  Scoreboard signal = {};

  static constexpr Opcode kOpcode = Opcode::kTracePoint;
  using Layout = Fields<At<&TracePoint::signal, 51, 48>, At<&TracePoint::register_count, 47, 40>,
                        At<&TracePoint::base, 39, 32>, At<&TracePoint::wait, 31, 16>>;
  constexpr bool operator==(const TracePoint&) const = default;
};

}  // namespace pantry::datasheet::isa
