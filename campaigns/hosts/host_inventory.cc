// SPDX-License-Identifier: MIT
#include "campaigns/hosts/host_inventory.h"

#include <fmt/core.h>

#include <filesystem>

#include "driver/mmu/address_spaces.h"

namespace pantry::campaigns {
namespace {

std::uint64_t entries_of(const char* directory) {
  std::uint64_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    count += !entry.path().empty();
  return count;
}

}  // namespace

HostInventory take_inventory(uapi::Machine& machine, const uapi::Server* server) {
  HostInventory now;
  now.machine = machine.baseline();
  machine.device().spaces().for_each_slot([&](const driver::AddressSpaces::SlotView& slot) {
    // Slot 0 is the firmware's, whenever the device is not suspended.
    now.slots += slot.slot != 0 && slot.owner != nullptr;
  });
  if (server) now.connections = server->connections();
  now.descriptors = entries_of("/proc/self/fd");
  now.threads = entries_of("/proc/self/task");
  return now;
}

std::string text_of(const HostInventory& inventory) {
  const auto& machine = inventory.machine;
  return fmt::format(
      "{} frames, {} table pages, {} groups, {} buffers, {} slots, {} connections, {} fds, {} "
      "threads",
      machine.used_frames, machine.lent_pages, machine.groups, machine.buffers, inventory.slots,
      inventory.connections, inventory.descriptors, inventory.threads);
}

}  // namespace pantry::campaigns
