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

void InjectedFaults::print(std::uint64_t recoveries) const {
  if (is_empty_) return;
  for (const emu::FaultKind kind : emu::kFaultKinds)
    if ((kinds_ >> static_cast<unsigned>(kind) & 1) != 0)
      fmt::print(stderr, "pantry: injected: {}, {} times\n", name_of(kind), injector_.hits(kind));
  fmt::print(stderr, "pantry: the driver reset a device that it had not suspended {} times\n",
             recoveries);
}

}  // namespace pantry::tools
