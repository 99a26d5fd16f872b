// SPDX-License-Identifier: MIT
#include "driver/vm/va_split.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>

namespace pantry::driver {
namespace {

constexpr std::uint64_t bit(unsigned n) { return std::uint64_t{1} << n; }

TEST(VaSplit, DocumentedExamples) {
  const auto user = [](std::uint64_t requested) {
    return split_va(48, requested).value().user_size;
  };
  EXPECT_EQ(user(0), 0x8000'0000'0000u);
  EXPECT_EQ(user(4 * kGiB), 0x8000'0000'0000u);
  EXPECT_EQ(user(bit(47)), 0x8000'0000'0000u);
  EXPECT_EQ(user(bit(47) + 1), 0xc000'0000'0000u);
  EXPECT_EQ(user(3 * bit(46)), 0xc000'0000'0000u);
  EXPECT_EQ(user(bit(48) - 256 * kMiB), 0xffff'f000'0000u);
  EXPECT_EQ(split_va(48, bit(48) - 256 * kMiB + 1).error(), Errno::kInval);
  EXPECT_EQ(split_va(48, UINT64_MAX).error(), Errno::kInval);
}

TEST(VaSplit, SmallerGpusHalveOrLeaveTheMinimum) {
  EXPECT_EQ(split_va(39, 0)->user_size, bit(38));
  EXPECT_EQ(split_va(33, 0)->user_size, bit(32));
  EXPECT_EQ(split_va(32, 0)->user_size, bit(32) - 256 * kMiB);
  EXPECT_EQ(split_va(28, 0)->user_size, 0u);
  EXPECT_EQ(split_va(27, 0).error(), Errno::kInval);
}

RC_GTEST_PROP(VaSplit, TheKernelGetsTheTopAndTheClientAtLeastWhatItAsked, ()) {
  const auto va_bits = *rc::gen::inRange(29u, 49u);
  const auto requested = *rc::gen::inRange<std::uint64_t>(1, bit(va_bits) - 256 * kMiB + 1);
  const auto split = split_va(va_bits, requested);
  RC_ASSERT(split.has_value());
  RC_ASSERT(split->user_size >= requested);
  RC_ASSERT(split->kernel.first.value == split->user_size);
  RC_ASSERT(split->kernel.last.value == bit(va_bits) - 1);
  const std::uint64_t size = split->kernel.size();
  RC_ASSERT(std::has_single_bit(size));
  RC_ASSERT(size >= 256 * kMiB);
  RC_ASSERT(2 * size > bit(va_bits) - requested);
}

}  // namespace
}  // namespace pantry::driver
