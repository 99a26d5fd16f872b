// SPDX-License-Identifier: MIT
//
// Between a device and a driver's interrupt lines: interrupts that have no reason. A driver has to
// bear them, and the checker to say nothing.
//
// No lock: called with the device's.
#pragma once

#include <array>
#include <cstdint>

#include "campaigns/seeded/seeded_mmio.h"
#include "gpu_emu/seams.h"

namespace pantry::seeded {

class SeededLines final : public emu::IrqLineSeam {
 public:
  explicit SeededLines(Seed seed) : seed_(seed) {}

  emu::IrqLine& put_before(emu::IrqLine& line) override;
  void arm() { armed_ = true; }
  void disarm() { armed_ = false; }

  std::uint64_t changed() const { return changed_; }

 private:
  struct Line final : emu::IrqLine {
    void set(bool now) override { lines->set(*this, now); }
    SeededLines* lines = nullptr;
    emu::IrqLine* driver = nullptr;
    bool level = false;
  };

  void set(Line& line, bool level);

  const Seed seed_;
  bool armed_ = false;
  std::uint64_t changed_ = 0;
  std::size_t count_ = 0;
  std::array<Line, 3> lines_;
};

}  // namespace pantry::seeded
