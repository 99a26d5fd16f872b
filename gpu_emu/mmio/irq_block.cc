// SPDX-License-Identifier: MIT
#include "gpu_emu/mmio/irq_block.h"

namespace pantry::emu {

IrqBlock::IrqBlock(RegisterFile& file, const Registers& registers, IrqLine& line)
    : registers_(registers), line_(line) {
  file.declare_handled(registers.rawstat, *this);
  file.declare_handled(registers.clear, *this);
  file.declare_handled(registers.mask, *this);
  file.declare_handled(registers.status, *this);
}

void IrqBlock::raise(std::uint32_t bits) {
  rawstat_ |= bits;
  // Of an event that raises no line nothing can get lost.
  const bool rises = !level_ && (rawstat_ & mask_) != 0;
  if (rises && misbehaviour_ && misbehaviour_->loses_interrupt(misbehaving_line_)) return;
  drive_line();
}

void IrqBlock::reset(Mask mask) {
  rawstat_ = 0;
  if (mask == Mask::kCleared) mask_ = 0;
  drive_line();
}

std::uint32_t IrqBlock::read_register(std::uint32_t offset) {
  if (offset == registers_.rawstat) return rawstat_;
  if (offset == registers_.mask) return mask_;
  return rawstat_ & mask_;
}

void IrqBlock::write_register(std::uint32_t offset, std::uint32_t value) {
  if (offset == registers_.clear) {
    rawstat_ &= ~value;
  } else {
    mask_ = value;
  }
  drive_line();
}

void IrqBlock::drive_line() {
  const bool level = (rawstat_ & mask_) != 0;
  if (level == level_) return;
  level_ = level;
  line_.set(level);
}

}  // namespace pantry::emu
