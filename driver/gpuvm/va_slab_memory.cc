// SPDX-License-Identifier: MIT
//
// The half of the slabs that allocates and frees.
#include <sys/mman.h>

#include <new>

#include "base/check.h"
#include "driver/gpuvm/va_slab.h"

namespace pantry::driver {

namespace {

std::size_t bytes_of(std::uint32_t nodes) {
  return nodes == VaSlab::kLargeNodes ? VaSlab::kLargeBytes : (nodes + 1) * sizeof(VaNode);
}
std::align_val_t alignment_of(std::uint32_t nodes) {
  return std::align_val_t{nodes == VaSlab::kLargeNodes ? VaSlab::kLargeBytes : alignof(VaNode)};
}

}  // namespace

VaSlab* VaSlab::make(std::uint32_t nodes) noexcept {
  static_assert(sizeof(VaSlab) <= sizeof(VaNode));
  PANTRY_CHECK(nodes != 0 && nodes <= kLargeNodes);
  void* const memory = operator new(bytes_of(nodes), alignment_of(nodes), std::nothrow);
  if (!memory) return nullptr;
  // A wish: without huge pages it works as well.
  if (nodes == kLargeNodes) madvise(memory, kLargeBytes, MADV_HUGEPAGE);
  return new (memory) VaSlab(nodes);
}

void VaSlab::destroy(VaSlab& slab) noexcept {
  PANTRY_CHECK(slab.empty());
  const std::align_val_t alignment = alignment_of(slab.nodes());
  slab.~VaSlab();
  operator delete(&slab, alignment);
}

VaSlabList::~VaSlabList() {
  PANTRY_CHECK(partial_.empty());
  while (VaSlab* const slab = empty()) {
    drop(*slab);
    VaSlab::destroy(*slab);
  }
}

}  // namespace pantry::driver
