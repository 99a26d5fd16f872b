// SPDX-License-Identifier: MIT
//
// Between a driver's allocator of frames and the checker's ledger: makes the allocator look as if
// it gave frames away while they are in use. Memory itself stays where it is, so that nothing but
// the checker can tell.
//
// No lock: one change at a time (simulation).
#pragma once

#include <cstdint>
#include <vector>

#include "campaigns/seeded/seeded_mmio.h"
#include "gpu_emu/seams.h"

namespace pantry::seeded {

class SeededFrames final : public emu::FrameOwner, public emu::FrameOwnerSeam {
 public:
  // Room for what is handed out: hands may change inside a SignallingSection.
  explicit SeededFrames(Seed seed) : seed_(seed) { handed_out_.reserve(1024); }

  emu::FrameOwner& put_before(emu::FrameOwner& ledger) override;
  void arm() { armed_ = true; }
  // What was handed out since arm() changes hands.
  void disarm();

  void changed(PhysExtent frames, std::uint64_t owner) override;

  std::uint64_t changed() const { return changed_; }

 private:
  // Of nobody that the allocator knows.
  static constexpr std::uint64_t kStranger = ~std::uint64_t{0};

  const Seed seed_;
  emu::FrameOwner* ledger_ = nullptr;
  bool armed_ = false;
  std::uint64_t changed_ = 0;
  std::vector<PhysExtent> handed_out_;  // since arm(), and not given back
};

}  // namespace pantry::seeded
