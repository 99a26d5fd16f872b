// SPDX-License-Identifier: MIT
//
// One seed, at whichever port it belongs to.
#pragma once

#include "campaigns/seeded/seeded_frames.h"
#include "campaigns/seeded/seeded_lines.h"
#include "campaigns/seeded/seeded_mmio.h"

namespace pantry::seeded {

struct Seeds {
  explicit Seeds(Seed seed) : registers(seed), frames(seed), lines(seed) {}

  void arm() {
    registers.arm();
    frames.arm();
    lines.arm();
  }
  void disarm() {
    registers.disarm();
    frames.disarm();
    lines.disarm();
  }
  std::uint64_t changed() const { return registers.changed() + frames.changed() + lines.changed(); }

  SeededMmio registers;
  SeededFrames frames;
  SeededLines lines;
};

}  // namespace pantry::seeded
