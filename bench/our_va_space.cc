// SPDX-License-Identifier: MIT
#include "bench/our_va_space.h"

#include <utility>

#include "base/check.h"

namespace pantry::bench {

using namespace driver;

OurVaSpace::OurVaSpace(std::uint64_t size) : space_(GpuRange::of_size({0}, size)) {}

OurVaSpace::~OurVaSpace() { unmap(space_.whole()); }

VaReserve OurVaSpace::claim() {
  VaReserve nodes = VaReserve::for_operation(pool_);
  while (nodes.incomplete()) PANTRY_CHECK(pool_.grow());
  return nodes;
}

void OurVaSpace::map(const VaMapping& mapping) {
  VaReserve nodes = claim();
  space_.map(mapping, nodes, steps_);
}

void OurVaSpace::unmap(GpuRange range) {
  VaReserve nodes = claim();
  space_.unmap(range, nodes, steps_);
}

Done<UnmapStep> OurVaSpace::Steps::unmap(UnmapStep step) noexcept {
  return std::move(step).remove();
}
Done<KeepLeftStep> OurVaSpace::Steps::keep_left(KeepLeftStep step) noexcept {
  return std::move(step).keep();
}
Done<KeepRightStep> OurVaSpace::Steps::keep_right(KeepRightStep step) noexcept {
  return std::move(step).keep();
}
Done<KeepBothStep> OurVaSpace::Steps::keep_both(KeepBothStep step) noexcept {
  return std::move(step).keep();
}
Done<MapStep> OurVaSpace::Steps::map(MapStep step) noexcept { return std::move(step).insert(); }

}  // namespace pantry::bench
