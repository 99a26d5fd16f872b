// SPDX-License-Identifier: MIT
//
// The mistakes that are seeded, and what the checker must call each. Data.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "campaigns/seeded/scene.h"
#include "campaigns/seeded/seeded_mmio.h"
#include "gpu_emu/checker/mistake.h"
#include "gpu_emu/quirks.h"

namespace pantry::seeded {

// How the device is for it.
enum class Device : std::uint8_t {
  kPlain,
  kSpeculative,   // walks by itself
  kSlowCommands,  // commands of an address space take 5 us
};

struct Entry {
  Scene scene;
  Seed seed;
  emu::Mistake mistake;                 // the first that is reported
  std::optional<emu::Mistake> cause{};  // what the report says made it possible
  Device device = Device::kPlain;
};

std::span<const Entry> catalogue();  // of our driver
// Of Linux 6.12's under `pantry kernel`, whose scenes campaigns/clients/seeded_scene_main.cc plays.
std::span<const Entry> linux_catalogue();
// Seeds that are no mistake, for any scene.
std::span<const Seed> harmless();

emu::Quirks quirks_of(Device device);
std::string_view name_of(Seed seed);
// "unmap-no-flush".
std::string name_of(const Entry& entry);

}  // namespace pantry::seeded
