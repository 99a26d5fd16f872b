// SPDX-License-Identifier: MIT
//
// One point of a timeline: a fence that signals when its own fence and every earlier point have signalled. Chains may be
// long; they are walked, signalled and destroyed in a loop, never by recursion. As in Linux a chain fence carries no
// error of its own.
#pragma once

#include "driver/sync/fence.h"

namespace pantry::driver {

class FenceChain final : public Fence {
 public:
  // Allocated during prepare, linked later by Syncobj::add_point, which cannot fail.
  static Ref<FenceChain> create();

  const char* driver_name() const noexcept override;
  const char* timeline_name() const noexcept override;

  std::uint64_t point() const noexcept;
  Ref<Fence> contained() const noexcept;
  // The earlier point, or null for the first one (earlier points that have signalled are dropped from the chain).
  Ref<Fence> previous() const noexcept;

  // The fence that stands for `point` in the chain that ends at `head`: the first point >= `point`, or the stub when the
  // chain no longer holds it because it signalled. Null when the chain has not reached `point`, or `head` is not a chain.
  static Ref<Fence> find(const Ref<Fence>& head, std::uint64_t point);
};

}  // namespace pantry::driver
