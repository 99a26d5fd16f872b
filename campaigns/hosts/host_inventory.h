// SPDX-License-Identifier: MIT
//
// What a host holds, for campaigns that kill its clients or break its hardware: afterwards it must
// hold what it held before.
#pragma once

#include <string>

#include "uapi/machine/machine.h"
#include "uapi/server/server.h"

namespace pantry::campaigns {

struct HostInventory {
  uapi::Machine::Baseline machine;  // each VM has a page-table root, so VMs too
  std::uint64_t slots = 0;          // address spaces with an owner
  std::uint64_t connections = 0;
  std::uint64_t descriptors = 0;  // of this process
  std::uint64_t threads = 0;
  bool operator==(const HostInventory&) const = default;
};

// Waits for everything pending first. `server`: null where there is none.
HostInventory take_inventory(uapi::Machine& machine, const uapi::Server* server);
std::string text_of(const HostInventory& inventory);

}  // namespace pantry::campaigns
