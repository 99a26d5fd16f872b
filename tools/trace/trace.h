// SPDX-License-Identifier: MIT
//
// A trace: what clients asked of VM_BIND, in order, with what is needed to ask it again. Values
// only; trace_file.h says how it lies in a file.
//
// Clients, VMs, buffers and syncobjs are numbered from 0 in the order in which the trace first
// tells of them, each kind by itself. What belongs to one client is used by that one alone: a
// buffer that two clients share is two buffers here.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/types.h"

namespace pantry::trace {

struct NewVm {
  std::uint32_t client = 0;
  std::uint64_t user_size = 0;  // bytes that the client may map
  bool operator==(const NewVm&) const = default;
};
struct EndVm {
  std::uint32_t vm = 0;
  bool operator==(const EndVm&) const = default;
};

// Told when it is first mapped, with the frames that it had.
struct NewBuffer {
  std::uint32_t client = 0;
  std::uint64_t size = 0;                     // bytes
  std::uint32_t flags = 0;                    // of BO_CREATE
  std::optional<std::uint32_t> exclusive_vm;  // the only one that may map it
  std::vector<PhysExtent> extents;
  bool operator==(const NewBuffer&) const = default;
};
// The client gave up its handle.
struct EndBuffer {
  std::uint32_t buffer = 0;
  bool operator==(const EndBuffer&) const = default;
};

struct NewSyncobj {
  std::uint32_t client = 0;
  bool operator==(const NewSyncobj&) const = default;
};

struct SyncOp {
  enum class Kind : std::uint8_t { kWait, kSignal } kind = Kind::kWait;
  std::uint32_t syncobj = 0;
  std::optional<std::uint64_t> point;  // of a timeline; none: the binary fence
  bool operator==(const SyncOp&) const = default;
};

struct Op {
  std::uint32_t flags = 0;              // as the client gave them, the type included
  std::optional<std::uint32_t> buffer;  // none: it named none, or one that it did not have
  std::uint64_t buffer_offset = 0, va = 0, size = 0;
  std::vector<SyncOp> syncs;
  bool operator==(const Op&) const = default;
};

// One VM_BIND.
struct Bind {
  std::uint32_t vm = 0;
  std::uint32_t flags = 0;
  std::int64_t start_ns = 0;  // since the one before it started; since the first one: 0
  std::int64_t taken_ns = 0;
  std::uint32_t error = 0;  // what it failed with, an errno; 0: it did not
  std::vector<Op> ops;
  bool operator==(const Bind&) const = default;
};

using Event = std::variant<NewVm, EndVm, NewBuffer, EndBuffer, NewSyncobj, Bind>;
using Trace = std::vector<Event>;

}  // namespace pantry::trace
