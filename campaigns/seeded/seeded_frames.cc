// SPDX-License-Identifier: MIT
#include "campaigns/seeded/seeded_frames.h"

#include <algorithm>

namespace pantry::seeded {

emu::FrameOwner& SeededFrames::put_before(emu::FrameOwner& ledger) {
  ledger_ = &ledger;
  return *this;
}

void SeededFrames::disarm() {
  armed_ = false;
  if (seed_ == Seed::kFreedEarly || seed_ == Seed::kReusedAtOnce) {
    changed_ += handed_out_.size();
    for (const PhysExtent& frames : handed_out_) {
      ledger_->changed(frames, 0);
      if (seed_ == Seed::kReusedAtOnce) ledger_->changed(frames, kStranger);
    }
  }
  handed_out_.clear();
}

void SeededFrames::changed(PhysExtent frames, std::uint64_t owner) {
  if (armed_ && owner == 0)
    std::erase_if(handed_out_,
                  [&](const PhysExtent& known) { return known.start == frames.start; });
  if (armed_ && owner != 0) {
    handed_out_.push_back(frames);
    if (seed_ == Seed::kHandedOutFree) {
      ++changed_;
      owner = 0;
    }
  }
  ledger_->changed(frames, owner);
}

}  // namespace pantry::seeded
