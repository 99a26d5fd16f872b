// SPDX-License-Identifier: MIT
//
// Everything that running one bind can need, laid in before its fence is published: nodes of the VA
// tree, table pages, the buffer reference. Move-only; made by prepare, consumed by run. Running
// takes BindPlan& and allocates and frees nothing: what is left over or was replaced stays in the
// plan and is given back when the plan is destroyed, which happens outside the SignallingSection.
//
// A bind that runs at once, under the hold of the operation lock that admits it, keeps what it did
// not use in the VM instead: it need neither allocate nor free.
//
// Promise: once an asynchronous VM_BIND has returned 0, that bind cannot fail for lack of memory,
// whatever runs before it.
#pragma once

#include <cstdint>
#include <utility>

#include "driver/gpuvm/va_node_pool.h"
#include "driver/provision/provision.h"
#include "driver/vm/bind_op.h"
#include "driver/vm/mapping.h"
#include "driver/vm/retired_objects.h"

namespace pantry::driver {

// Of table pages and time.
struct BindStatistics {
  std::uint64_t pages_reserved = 0;
  std::uint64_t pages_used = 0;
  std::uint64_t pages_returned = 0;  // reserved and not used
  std::uint64_t pages_emptied = 0;   // of tables that were there before
  Duration prepare;                  // both 0 unless VmDevice::bind_times says so
  Duration run;

  void add(const BindStatistics& other) noexcept {
    pages_reserved += other.pages_reserved;
    pages_used += other.pages_used;
    pages_returned += other.pages_returned;
    pages_emptied += other.pages_emptied;
    prepare = prepare + other.prepare;
    run = run + other.run;
  }
};

struct BindPlan {
  // What is mapped in the range of a map: replaced, or the reason to fail with EEXIST (kernel
  // mappings, whose place must be free).
  enum class Overlap { kReplace, kRefuse };
  // kRestore: a map of what is mapped there anyway, whose page-table entries an eviction has taken.
  // EBUSY when it runs: something else is mapped there by now.
  enum class Purpose { kBind, kRestore };

  BindPlan() = default;
  BindPlan(BindOp&& operation, FramePin&& frames)
      : op(std::move(operation)), pin(std::move(frames)) {}
  // `shape_of(op)`: the shape of `operation`, whose table pages come from `borrower`.
  template <class ShapeOf>
  BindPlan(BindOp&& operation, FramePin&& frames, PageBorrower& borrower, ShapeOf shape_of)
      : op(std::move(operation)),
        pin(std::move(frames)),
        provision(borrower, [&] { return shape_of(op); }) {}
  BindPlan(BindPlan&&) = default;
  // The pin would outlive the reference that it needs.
  BindPlan& operator=(BindPlan&&) = delete;

  BindOp op;
  MappingOwner owner = MappingOwner::kUser;
  Overlap overlap = Overlap::kReplace;
  Purpose purpose = Purpose::kBind;
  FramePin pin;         // of a map, until its frames are in the table; after `op`, which has them
  Provision provision;  // of table pages
  VaReserve tree_nodes;
  Ref<SharedBuffer> link;
  RetiredObjects retired;
  Duration prepared_in;  // BindStatistics::prepare
};

}  // namespace pantry::driver
