// SPDX-License-Identifier: MIT
//
// One interrupt of the device: RAWSTAT, CLEAR, MASK and STATUS, and the line they drive. A bit of
// RAWSTAT is sticky until it is cleared; the line is level-triggered, (RAWSTAT & MASK) != 0, so
// unmasking with a bit pending raises it, and an event after a CLEAR raises it again. IrqLine::set
// is called when the level changes, and only then.
//
// Called with the device's lock held. Nothing here allocates after construction.
#pragma once

#include <cstdint>

#include "gpu_emu/misbehaviour.h"
#include "gpu_emu/mmio/register_file.h"
#include "gpu_emu/ports.h"

namespace pantry::emu {

class IrqBlock final : private RegisterHandler {
 public:
  struct Registers {
    datasheet::Register rawstat, clear, mask, status;
  };
  // Declares the four registers in `file`. `line` outlives the block.
  IrqBlock(RegisterFile& file, const Registers& registers, IrqLine& line);
  IrqBlock(const IrqBlock&) = delete;
  IrqBlock& operator=(const IrqBlock&) = delete;

  // Once, before the first event.
  void attach(Misbehaviour& misbehaviour, Misbehaviour::Line line) {
    misbehaviour_ = &misbehaviour;
    misbehaving_line_ = line;
  }

  // Sets bits of RAWSTAT.
  void raise(std::uint32_t bits);
  enum class Mask : std::uint8_t { kKept, kCleared };
  // Device reset: RAWSTAT becomes 0.
  void reset(Mask mask);

  std::uint32_t rawstat() const { return rawstat_; }
  std::uint32_t mask() const { return mask_; }

 private:
  std::uint32_t read_register(std::uint32_t offset) override;
  void write_register(std::uint32_t offset, std::uint32_t value) override;
  void drive_line();

  const Registers registers_;
  IrqLine& line_;
  std::uint32_t rawstat_ = 0;
  std::uint32_t mask_ = 0;
  bool level_ = false;
  Misbehaviour* misbehaviour_ = nullptr;
  Misbehaviour::Line misbehaving_line_ = Misbehaviour::Line::kGpu;
};

}  // namespace pantry::emu
