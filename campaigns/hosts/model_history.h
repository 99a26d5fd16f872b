// SPDX-License-Identifier: MIT
//
// Random binds in two VMs against a naive model: for each page of a window, which page of which
// buffer it shows, and with which rights. Three eyes that share nothing look at what came of them:
// the VA tree; the entries of the page table as they lie in memory; and accesses of the device
// through its TLB. The pages that a bind touched, and their neighbours, are looked at after each;
// everything after every 1,000.
//
// Binds are synchronous, or wait in the queue while synchronous ones overtake them. Allocations
// fail now and then, and then nothing may have changed; address spaces are taken away and given
// back; buffers go while they are mapped and others come in their place.
#pragma once

#include "campaigns/hosts/history_hunt.h"
#include "campaigns/hosts/lossy_registers.h"

namespace pantry::campaigns {

class ModelHistory final : public History {
 public:
  // `lost`: for a control; with kLockAndFlush there must be something to find.
  ModelHistory(std::size_t steps, LossyRegisters::Lost lost) : steps_(steps), lost_(lost) {}

  std::size_t length(std::uint64_t) const override { return steps_; }
  std::optional<std::string> play(std::uint64_t seed,
                                  std::span<const std::size_t> kept) const override;
  std::string describe(std::uint64_t seed, std::size_t step) const override;

 private:
  const std::size_t steps_;
  const LossyRegisters::Lost lost_;
};

}  // namespace pantry::campaigns
