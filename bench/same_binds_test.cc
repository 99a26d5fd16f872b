// SPDX-License-Identifier: MIT
//
// After any sequence of binds, a VM of ours and Linux's parts of one translate every page alike.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <vector>

#include "bench/vm_pair.h"

namespace pantry::bench {
namespace {

TEST(SameBinds, AfterAnySequence) {
  if (!linux_peer_installed()) GTEST_SKIP() << "linux-source-6.12 is not installed";
  constexpr GpuVa kBase{kGiB - 2 * kMiB};
  constexpr std::uint64_t kPages = 1024;
  // One for all cases, since it starts threads.
  VmPair pair(16 * kMiB);
  const std::array<Ref<driver::Buffer>, 2> buffers{
      pair.new_buffer(kPages * kPageSize, VmPair::Frames::kContiguous, VmPair::Sharing::kPrivate),
      pair.new_buffer(kPages * kPageSize, VmPair::Frames::kScattered, VmPair::Sharing::kShared)};
  const bool same = rc::check([&] {
    const GpuRange everything = GpuRange::of_size(kBase, kPages * kPageSize);
    RC_ASSERT(pair.ours().bind_now(VmPair::unmap_op(everything)).has_value());
    RC_ASSERT(linux_vm_bind_unmap(pair.theirs(), kBase.value, everything.size()) == 0);
    const int steps = *rc::gen::inRange(1, 20);
    for (int step = 0; step < steps; ++step) {
      const auto first = *rc::gen::inRange<std::uint64_t>(0, kPages);
      const auto wish = *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(1, 40),
                                        rc::gen::inRange<std::uint64_t>(500, 1024));
      const std::uint64_t size = std::min(wish, kPages - first) * kPageSize;
      const GpuRange range = GpuRange::of_size(kBase + first * kPageSize, size);
      if (*rc::gen::inRange(0, 3) == 0) {
        RC_ASSERT(pair.ours().bind_now(VmPair::unmap_op(range)).has_value());
        RC_ASSERT(linux_vm_bind_unmap(pair.theirs(), range.first.value, size) == 0);
        continue;
      }
      const Ref<driver::Buffer>& buffer = buffers[*rc::gen::inRange<std::size_t>(0, 2)];
      // As often as not where a block is possible.
      const std::uint64_t offset =
          *rc::gen::element(0, 1) == 0
              ? std::min(first * kPageSize, buffer->size() - size)
              : *rc::gen::inRange<std::uint64_t>(0, kPages - size / kPageSize + 1) * kPageSize;
      const std::vector<linux_extent> extents = VmPair::extents_of(*buffer, offset, size);
      RC_ASSERT(pair.ours().bind_now(VmPair::map_op(range, buffer, offset)).has_value());
      RC_ASSERT(linux_vm_bind_map(pair.theirs(), range.first.value, extents.data(),
                                  static_cast<unsigned>(extents.size())) == 0);
    }
    for (std::uint64_t page = 0; page < kPages; ++page) {
      const GpuVa va = kBase + page * kPageSize;
      const auto ours = pair.ours().translate(va);
      RC_ASSERT((ours ? ours->frame.value : 0) == linux_vm_translate(pair.theirs(), va.value));
    }
  });
  EXPECT_TRUE(same);
}

}  // namespace
}  // namespace pantry::bench
