// SPDX-License-Identifier: MIT
#include "campaigns/seeded/seeded_lines.h"

#include "base/check.h"

namespace pantry::seeded {

emu::IrqLine& SeededLines::put_before(emu::IrqLine& line) {
  PANTRY_CHECK(count_ < lines_.size());
  Line& mine = lines_[count_++];
  mine.lines = this;
  mine.driver = &line;
  return mine;
}

void SeededLines::set(Line& line, bool level) {
  line.level = level;
  if (armed_ && seed_ == Seed::kBouncingLine) {
    ++changed_;
    line.driver->set(!level);
  }
  line.driver->set(level);
  if (!armed_ || seed_ != Seed::kSpuriousInterrupts) return;
  ++changed_;
  for (Line& other : lines_) {
    other.driver->set(true);
    other.driver->set(other.level);
  }
}

}  // namespace pantry::seeded
