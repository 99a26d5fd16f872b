// SPDX-License-Identifier: MIT
//
// Which provisioner a VM has, and what users call it.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace pantry::driver {

enum class Provisioning {
  kWorstCase,     // pages for the worst state of the page table: worst_case.h
  kExact,         // pages for the state that it has, shared by all pending binds: exact.h
  kRangeReserve,  // tables installed at prepare: range_reserve.h
};

// Where nothing else is said: the least memory, and no queue makes it lay in more than it uses
// (docs/allocators.md has the measurements).
inline constexpr Provisioning kDefaultProvisioning = Provisioning::kExact;

struct ProvisioningName {
  std::string_view name;
  Provisioning provisioning;
};
inline constexpr std::array kProvisioningNames{
    ProvisioningName{"worst-case", Provisioning::kWorstCase},
    ProvisioningName{"exact", Provisioning::kExact},
    ProvisioningName{"range-reserve", Provisioning::kRangeReserve},
};

constexpr std::optional<Provisioning> provisioning_named(std::string_view name) {
  for (const ProvisioningName& known : kProvisioningNames)
    if (known.name == name) return known.provisioning;
  return std::nullopt;
}

}  // namespace pantry::driver
