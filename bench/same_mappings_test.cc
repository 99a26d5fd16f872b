// SPDX-License-Identifier: MIT
//
// After any sequence of maps and unmaps, our VA space and drm_gpuvm hold the same mappings.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "bench/linux_peer/linux_peer.h"
#include "bench/our_va_space.h"

namespace pantry::bench {
namespace {

struct Seen {
  std::uint64_t first, size, object, offset;
  bool operator==(const Seen&) const = default;
};
void showValue(const Seen& seen, std::ostream& out) {
  out << std::hex << seen.first << "+" << seen.size << " object " << seen.object << "+"
      << seen.offset;
}

RC_GTEST_PROP(SameMappings, AfterAnySequenceOfMapsAndUnmaps, ()) {
  if (!linux_peer_installed()) GTEST_SKIP() << "linux-source-6.12 is not installed";
  constexpr std::uint64_t kPages = 64;
  constexpr std::uint32_t kNodes = kPages + 3;
  OurVaSpace ours(kPages * kPageSize);
  linux_va_space* const theirs = linux_va_space_create(kPages * kPageSize, kNodes);
  const int steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    const auto first = *rc::gen::inRange<std::uint64_t>(0, kPages);
    const auto size = *rc::gen::inRange<std::uint64_t>(1, kPages - first + 1);
    const GpuRange range = GpuRange::of_size({first * kPageSize}, size * kPageSize);
    if (*rc::gen::inRange(0, 4) == 0) {
      ours.unmap(range);
      linux_va_space_unmap(theirs, range.first.value, range.size());
      continue;
    }
    const auto object = *rc::gen::inRange<std::uint64_t>(0, LINUX_VA_OBJECTS);
    const auto offset = *rc::gen::inRange<std::uint64_t>(0, 100) * kPageSize;
    // The object's number plus 1 stands for its address.
    ours.map({range, reinterpret_cast<void*>(object + 1), offset, 0});
    const linux_va_mapping mapping{range.first.value, range.size(), static_cast<unsigned>(object),
                                   offset};
    linux_va_space_map(theirs, &mapping);
  }

  std::vector<Seen> our_mappings, their_mappings;
  ours.for_each([&](const driver::VaMapping& m) {
    our_mappings.push_back({m.range.first.value, m.range.size(),
                            reinterpret_cast<std::uint64_t>(m.object) - 1, m.offset});
  });
  linux_va_space_for_each(
      theirs,
      [](void* context, const linux_va_mapping* m) {
        static_cast<std::vector<Seen>*>(context)->push_back(
            {m->first, m->size, m->object, m->offset});
      },
      &their_mappings);
  RC_ASSERT(our_mappings == their_mappings);
  for (std::uint64_t va = 0; va < kPages * kPageSize; va += kPageSize / 2)
    RC_ASSERT(ours.find({va}) == linux_va_space_find(theirs, va));

  linux_va_space_unmap(theirs, 0, kPages * kPageSize);
  linux_va_space_destroy(theirs);
}

}  // namespace
}  // namespace pantry::bench
