// SPDX-License-Identifier: MIT
//
// Everything that running one bind can need, laid in before its fence is published: VA nodes, table pages, the buffer
// reference, list nodes. Move-only; made by Vm::plan, consumed by running it. Running takes BindPlan& and allocates and
// frees nothing: what is left over or was replaced stays in the plan and is given back when the plan is destroyed, which
// happens outside the SignallingSection.
//
// Promise: once an asynchronous VM_BIND has returned 0, that bind cannot fail for lack of memory, whatever runs before it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "driver/gpuvm/va_space.h"
#include "driver/provision/table_reserve.h"
#include "driver/vm/bind_op.h"

namespace pantry::driver {

struct BindStatistics {
  std::uint32_t pages_reserved = 0;
  std::uint32_t pages_used = 0;
  std::uint32_t pages_returned = 0;
  Duration prepare;
  Duration run;
};

class Mapping;

struct BindPlan {
  BindPlan();
  BindPlan(BindPlan&&) noexcept;
  BindPlan& operator=(BindPlan&&) noexcept;
  ~BindPlan();

  BindOp op;
  TableReserve tables;
  // New mapping, left remainder, right remainder; an unmap has the last two. Nodes that run consumes are moved out.
  std::array<std::unique_ptr<Mapping>, 3> nodes;
  // Mappings that run took out of the tree: an intrusive list, destroyed with the plan.
  Mapping* removed = nullptr;
  BindStatistics statistics;
};

}  // namespace pantry::driver
