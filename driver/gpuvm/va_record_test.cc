// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_record.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace pantry::driver {
namespace {

constexpr std::uint64_t kPagesInSpace = std::uint64_t{1} << 36;

void* at(std::uint64_t address) { return reinterpret_cast<void*>(address); }

// Any number below 2^bits, of any length.
std::uint64_t any_below(std::uint32_t bits) {
  const std::uint32_t length = *rc::gen::inRange(0u, bits + 1);
  const std::uint64_t most = length == 0 ? 0 : ~std::uint64_t{0} >> (64 - length);
  return *rc::gen::weightedOneOf<std::uint64_t>(
      {{1, rc::gen::just(most)},
       {4, rc::gen::map(rc::gen::arbitrary<std::uint64_t>(),
                        [most](auto any) { return any & most; })}});
}

VaMapping any_mapping() {
  const std::uint64_t last = any_below(36);
  const std::uint64_t pages = std::min(any_below(36), last) + 1;
  return {GpuRange::of_size({(last - pages + 1) * kPageSize}, pages * kPageSize), at(any_below(48)),
          any_below(44) * kPageSize, static_cast<std::uint32_t>(any_below(12))};
}

RC_GTEST_PROP(VaRecord, GivesBackWhatWasPut, ()) {
  const VaMapping mapping = any_mapping();
  RC_ASSERT(VaRecord::packable(mapping));
  VaRecord record;
  record.put(mapping);
  const VaKey key = va_key_of(mapping);
  RC_ASSERT(record.get(key) == mapping);
  RC_ASSERT(record.range(key) == mapping.range);
}

RC_GTEST_PROP(VaRecord, ItsKeyIsNotBelowItsAddressesAndBelowAllOthers, ()) {
  const VaMapping mapping = any_mapping();
  const VaKey key = va_key_of(mapping);
  RC_ASSERT(key < kNoVaKey);
  RC_ASSERT(key >= va_key_for(mapping.range.first));
  RC_ASSERT(key >= va_key_for(mapping.range.last));
  RC_ASSERT(key < va_key_for(mapping.range.last + 1));
}

TEST(VaRecord, AnAddressBeyondEveryMappingIsBeyondEveryKey) {
  EXPECT_EQ(va_key_for({UINT64_MAX}), kNoVaKey);
  EXPECT_EQ(va_key_for({std::uint64_t{1} << 63}), kNoVaKey);
}

TEST(VaRecord, WhatWouldLoseABitIsNotPackable) {
  const VaMapping largest{GpuRange::of_size({0}, kPagesInSpace * kPageSize),
                          at((std::uint64_t{1} << 48) - 1),
                          ((std::uint64_t{1} << 44) - 1) * kPageSize, 0xfff};
  EXPECT_TRUE(VaRecord::packable(largest));
  VaMapping mapping = largest;
  mapping.flags = 0x1000;
  EXPECT_FALSE(VaRecord::packable(mapping));
  mapping = largest;
  mapping.object = at(std::uint64_t{1} << 48);
  EXPECT_FALSE(VaRecord::packable(mapping));
  mapping = largest;
  mapping.offset = std::uint64_t{1} << 56;
  EXPECT_FALSE(VaRecord::packable(mapping));
  mapping = largest;
  mapping.offset -= kPageSize / 2;
  EXPECT_FALSE(VaRecord::packable(mapping));
}

}  // namespace
}  // namespace pantry::driver
