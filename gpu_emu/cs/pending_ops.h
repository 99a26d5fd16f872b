// SPDX-License-Identifier: MIT
//
// The two places where an operation waits after its command stream has moved on: deferred
// operations wait for scoreboard entries, and loads and stores among them for their time;
// operations in flight wait for time to pass.
//
// Both are arrays of fixed size in issue order, plain values without padding, part of what SUSPEND
// saves. A stream that finds one full blocks until there is room. No lock, no allocation.
#pragma once

#include <array>
#include <cstdint>

#include "base/check.h"

namespace pantry::emu {

// An instruction with a wait mask: its source registers were sampled at issue, since streams re-use
// them at once. Or LOAD_MULTIPLE or STORE_MULTIPLE, of which the address was sampled and nothing
// else.
struct DeferredOp {
  std::uint64_t word = 0;  // the instruction
  std::uint64_t address = 0;
  std::uint64_t data = 0;    // of a load or store: its scoreboard entry
  std::uint64_t heap = 0;    // the heap context in force
  std::int64_t done_ns = 0;  // of a load or store; else 0
};

enum class InFlightKind : std::uint16_t {
  kEndpoint,          // RUN_* or FINISH_TILING
  kEndpointProgress,  // the same with progress_increment
  kFlush,             // FLUSH_CACHE2: counts as a flush when it completes
};

// Compute and fragment work contend for the same shader cores.
enum class EndpointKind : std::uint16_t { kCompute, kFragment, kTiler };
inline constexpr std::uint32_t kEndpointKinds = 3;

struct InFlightOp {
  // Of endpoint work that nobody has said is done.
  static constexpr std::int64_t kNotDone = INT64_MAX;

  std::int64_t done_ns = 0;
  std::int64_t work_ns = 0;  // of endpoint work: how long it takes all endpoints of its kind, still
  std::int64_t held_ns = 0;  // and how long it has had any
  std::uint32_t entry = 0;   // of the scoreboard, held until done
  InFlightKind kind = InFlightKind::kEndpoint;
  EndpointKind endpoint = EndpointKind::kCompute;

  bool waits_for_endpoint() const { return done_ns == kNotDone; }
};

// Issue order is index order.
template <class Op, std::uint32_t kCapacity>
class OpList {
 public:
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == kCapacity; }
  std::uint32_t size() const { return size_; }
  Op& operator[](std::uint32_t index) {
    PANTRY_CHECK(index < size_);
    return ops_[index];
  }
  const Op& operator[](std::uint32_t index) const {
    PANTRY_CHECK(index < size_);
    return ops_[index];
  }
  void push(const Op& op) {
    PANTRY_CHECK(!full());
    ops_[size_++] = op;
  }
  void remove(std::uint32_t index) {
    PANTRY_CHECK(index < size_);
    for (std::uint32_t i = index; i + 1 < size_; ++i) ops_[i] = ops_[i + 1];
    ops_[--size_] = Op{};
  }

 private:
  std::array<Op, kCapacity> ops_{};
  std::uint32_t size_ = 0;
  std::uint32_t reserved_ = 0;
};

using DeferredOps = OpList<DeferredOp, 16>;
using InFlightOps = OpList<InFlightOp, 16>;

}  // namespace pantry::emu
