// SPDX-License-Identifier: MIT
#include "tools/injected_faults.h"

#include <fmt/core.h>

#include <cstdio>

namespace pantry::tools {

InjectedFaults::InjectedFaults(const std::vector<emu::FaultPlan>& plans)
    : is_empty_(plans.empty()) {
  for (const emu::FaultPlan& plan : plans) {
    kinds_ |= 1u << static_cast<unsigned>(plan.kind);
    injector_.add(plan);
  }
}

void InjectedFaults::print() const {
  for (const emu::FaultKind kind : emu::kFaultKinds)
    if ((kinds_ >> static_cast<unsigned>(kind) & 1) != 0)
      fmt::print(stderr, "pantry: injected: {}, {} times\n", name_of(kind), injector_.hits(kind));
}

}  // namespace pantry::tools
