// SPDX-License-Identifier: MIT
#include "bench/our_va_space.h"

#include <utility>

#include "base/check.h"

namespace pantry::bench {

using namespace driver;

OurVaSpace::OurVaSpace(std::uint64_t size, std::uint32_t nodes)
    : nodes_(nodes), space_(GpuRange::of_size({0}, size)) {}

OurVaSpace::~OurVaSpace() { unmap(space_.whole()); }

OurVaSpace::Nodes::Nodes(std::uint32_t count) : nodes_(std::make_unique<Node[]>(count)) {
  for (std::uint32_t i = count; i != 0; --i) give_back(nodes_[i - 1]);
}

OurVaSpace::Node& OurVaSpace::Nodes::take() {
  PANTRY_CHECK(free_);
  return *std::exchange(free_, free_->next);
}

void OurVaSpace::Nodes::give_back(Vma& vma) {
  auto& node = static_cast<Node&>(vma);
  node.next = std::exchange(free_, &node);
}

Done<UnmapStep> OurVaSpace::Nodes::unmap(UnmapStep step) noexcept {
  Vma& old = step.old();
  Done<UnmapStep> done = std::move(step).remove();
  give_back(old);
  return done;
}

Done<KeepLeftStep> OurVaSpace::Nodes::keep_left(KeepLeftStep step) noexcept {
  Vma& old = step.old();
  Done<KeepLeftStep> done = std::move(step).replace(take());
  give_back(old);
  return done;
}

Done<KeepRightStep> OurVaSpace::Nodes::keep_right(KeepRightStep step) noexcept {
  Vma& old = step.old();
  Done<KeepRightStep> done = std::move(step).replace(take());
  give_back(old);
  return done;
}

Done<KeepBothStep> OurVaSpace::Nodes::keep_both(KeepBothStep step) noexcept {
  Vma& old = step.old();
  Node& left = take();
  Done<KeepBothStep> done = std::move(step).replace(left, take());
  give_back(old);
  return done;
}

Done<MapStep> OurVaSpace::Nodes::map(MapStep step) noexcept {
  return std::move(step).insert(take());
}

}  // namespace pantry::bench
