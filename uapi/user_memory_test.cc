// SPDX-License-Identifier: MIT
#include "uapi/user_memory.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/types.h"

namespace pantry::uapi {
namespace {

// A client whose memory is one block; anything outside is EFAULT.
class BlockMemory final : public UserMemory {
 public:
  static constexpr std::uint64_t kStart = 0x10000;
  explicit BlockMemory(std::size_t bytes) : bytes(bytes) {}
  Result<> read(UserAddr from, void* to, std::size_t count) override {
    if (!inside(from, count)) return Error(Errno::kFault);
    if (count != 0) std::memcpy(to, bytes.data() + (from.value - kStart), count);
    return {};
  }
  Result<> write(UserAddr to, const void* from, std::size_t count) override {
    if (!inside(to, count)) return Error(Errno::kFault);
    if (count != 0) std::memcpy(bytes.data() + (to.value - kStart), from, count);
    return {};
  }
  bool inside(UserAddr at, std::size_t count) const {
    return count == 0 || (at.value >= kStart && at.value - kStart <= bytes.size() &&
                          count <= bytes.size() - (at.value - kStart));
  }
  std::vector<std::byte> bytes;
};

struct Element {
  std::uint64_t first;
  std::uint64_t second;
};

constexpr UserAddr kAt{BlockMemory::kStart};

// [A1.1]
TEST(ReadArray, EmptyLooksAtNothing) {
  BlockMemory memory(0);
  const auto read = read_array<Element>(memory, {0, 0, {}}, sizeof(Element));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->empty());
}

TEST(ReadArray, SmallStrideIsInvalid) {
  BlockMemory memory(64);
  EXPECT_EQ(read_array<Element>(memory, {8, 1, kAt}, sizeof(Element)).error(), Errno::kInval);
}

// Zeros without end, as a client can map them.
class ZeroMemory final : public UserMemory {
 public:
  Result<> read(UserAddr, void* to, std::size_t count) override {
    std::memset(to, 0, count);
    bytes_read += count;
    ++reads;
    return {};
  }
  Result<> write(UserAddr, const void*, std::size_t count) override {
    bytes_written += count;
    return {};
  }
  std::uint64_t bytes_read = 0;
  std::uint64_t reads = 0;
  std::uint64_t bytes_written = 0;
};

TEST(ReadArray, EndlessSurplusKeepsNobodyBusy) {
  ZeroMemory memory;
  EXPECT_EQ(read_array<Element>(memory, {UINT32_MAX, 1000, kAt}, sizeof(Element)).error(),
            Errno::kTooBig);
  EXPECT_LE(memory.bytes_read, kLargestSurplus + 1000 * sizeof(Element));
}

TEST(ReadArray, LargestSurplusIsRead) {
  ZeroMemory memory;
  constexpr std::uint32_t kStride = (kLargestSurplus / 4) + sizeof(Element);
  EXPECT_TRUE(read_array<Element>(memory, {kStride, 4, kAt}, sizeof(Element)).has_value());
  EXPECT_EQ(read_array<Element>(memory, {kStride, 5, kAt}, sizeof(Element)).error(),
            Errno::kTooBig);
}

// A look into another process costs a system call, during which nobody else is served.
TEST(ReadArray, LongElementsAreReadManyAtOnce) {
  ZeroMemory memory;
  EXPECT_TRUE(read_array<Element>(memory, {sizeof(Element) + 8, 1 << 20, kAt}, sizeof(Element))
                  .has_value());
  EXPECT_LE(memory.reads, (1u << 20) / 500);
}

TEST(ReadArray, ArraysOfOneCallShareABudget) {
  ZeroMemory memory;
  std::uint64_t budget = kLargestArrays;
  const std::uint32_t half = kLargestArrays / 2 / sizeof(Element);
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(read_array<Element>(memory, {sizeof(Element), half, kAt}, sizeof(Element), budget)
                    .has_value());
  EXPECT_EQ(read_array<Element>(memory, {sizeof(Element), 1, kAt}, sizeof(Element), budget).error(),
            Errno::kNoMem);
  EXPECT_EQ(memory.bytes_read, kLargestArrays);
  EXPECT_EQ(
      read_array<Element>(memory, {sizeof(Element), 2 * half + 1, kAt}, sizeof(Element)).error(),
      Errno::kNoMem);
}

// A bad address is found where it is, however large the rest is said to be.
TEST(ReadArray, FaultComesBeforeTheLimit) {
  BlockMemory memory(64);
  EXPECT_EQ(read_array<Element>(memory, {UINT32_MAX, 1000, kAt}, sizeof(Element)).error(),
            Errno::kFault);
}

TEST(ReadArray, ShortElementsReadAsZeroBehind) {
  BlockMemory memory(64);
  std::memset(memory.bytes.data(), 0xff, memory.bytes.size());
  const auto read = read_array<Element>(memory, {8, 2, kAt}, 8);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ((*read)[1].first, ~0ull);
  EXPECT_EQ((*read)[1].second, 0u);
}

TEST(ReadArray, LongElementsMustEndInZeroes) {
  BlockMemory memory(64);
  EXPECT_TRUE(read_array<Element>(memory, {32, 2, kAt}, sizeof(Element)).has_value());
  memory.bytes[63] = std::byte{1};
  EXPECT_EQ(read_array<Element>(memory, {32, 2, kAt}, sizeof(Element)).error(), Errno::kTooBig);
}

TEST(ReadArray, BadPointerIsAFault) {
  BlockMemory memory(31);
  EXPECT_EQ(read_array<Element>(memory, {16, 2, kAt}, sizeof(Element)).error(), Errno::kFault);
  EXPECT_EQ(read_array<Element>(memory, {16, 1, {}}, sizeof(Element)).error(), Errno::kFault);
}

// [A1.6]
TEST(ReadArray, HugeCountsCostNothing) {
  BlockMemory memory(4096);
  EXPECT_EQ(read_array<Element>(memory, {16, UINT32_MAX, kAt}, sizeof(Element)).error(),
            Errno::kNoMem);
  EXPECT_EQ(read_array<Element>(memory, {16, 100'000'000, kAt}, sizeof(Element)).error(),
            Errno::kFault);
}

// Against the rules of the reference, spelled out per byte.
RC_GTEST_PROP(ReadArray, FollowsTheRules, ()) {
  const auto stride = *rc::gen::inRange<std::uint32_t>(0, 40);
  const auto count = *rc::gen::inRange<std::uint32_t>(0, 6);
  const auto minimum = *rc::gen::element<std::size_t>(8, 16);
  BlockMemory memory(*rc::gen::inRange<std::size_t>(0, 200));
  for (std::byte& byte : memory.bytes) byte = static_cast<std::byte>(*rc::gen::element(0, 0, 0, 1));
  const auto read = read_array<Element>(memory, {stride, count, kAt}, minimum);

  if (count == 0) {
    RC_ASSERT(read.has_value());
    return;
  }
  if (stride < minimum) {
    RC_ASSERT(!read && read.error() == Errno::kInval);
    return;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    Element expected{};
    for (std::uint32_t byte = 0; byte < stride; ++byte) {
      const std::size_t at = std::size_t{i} * stride + byte;
      if (at >= memory.bytes.size()) {
        RC_ASSERT(!read && (read.error() == Errno::kFault || read.error() == Errno::kTooBig));
        return;
      }
      if (byte < sizeof expected) {
        reinterpret_cast<std::byte*>(&expected)[byte] = memory.bytes[at];
      } else if (memory.bytes[at] != std::byte{0}) {
        RC_ASSERT(!read && (read.error() == Errno::kTooBig || read.error() == Errno::kFault));
        return;
      }
    }
    if (read) RC_ASSERT(std::memcmp(&(*read)[i], &expected, sizeof expected) == 0);
  }
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->size() == count);
}

TEST(WriteQuery, TruncatesAndZeroes) {
  BlockMemory memory(64);
  std::memset(memory.bytes.data(), 0xff, memory.bytes.size());
  const Element value{1, 2};
  EXPECT_EQ(write_query(memory, kAt, 7, &value, sizeof value, 8).error(), Errno::kInval);
  ASSERT_TRUE(write_query(memory, kAt, 8, &value, sizeof value, 8));
  EXPECT_EQ(memory.bytes[0], std::byte{1});
  EXPECT_EQ(memory.bytes[8], std::byte{0xff});
  ASSERT_TRUE(write_query(memory, kAt, 32, &value, sizeof value, 8));
  EXPECT_EQ(memory.bytes[8], std::byte{2});
  EXPECT_EQ(memory.bytes[31], std::byte{0});
  EXPECT_EQ(memory.bytes[32], std::byte{0xff});
  EXPECT_EQ(write_query(memory, kAt, 65, &value, sizeof value, 8).error(), Errno::kFault);
}

TEST(WriteQuery, EndlessSurplusKeepsNobodyBusy) {
  ZeroMemory memory;
  const Element value{1, 2};
  EXPECT_TRUE(write_query(memory, kAt, kLargestSurplus + sizeof value, &value, sizeof value, 8));
  EXPECT_EQ(memory.bytes_written, kLargestSurplus + sizeof value);
  EXPECT_EQ(write_query(memory, kAt, UINT32_MAX, &value, sizeof value, 8).error(), Errno::kTooBig);
  EXPECT_EQ(memory.bytes_written, 2 * (kLargestSurplus + sizeof value));
  BlockMemory small(64);
  EXPECT_EQ(write_query(small, kAt, UINT32_MAX, &value, sizeof value, 8).error(), Errno::kFault);
}

TEST(ReadString, EndsAtItsTerminator) {
  BlockMemory memory(2 * kPageSize);
  const char text[] = "a label\0not of it";
  std::memcpy(memory.bytes.data() + 100, text, sizeof text);
  EXPECT_EQ(read_string(memory, kAt + 100, 7).value(), "a label");
  EXPECT_EQ(read_string(memory, kAt + 100, 4095).value(), "a label");
  EXPECT_EQ(read_string(memory, kAt + 100, 6).error(), Errno::kInval);
  EXPECT_EQ(read_string(memory, kAt + 107, 6).value(), "");
}

TEST(ReadString, NeedsNothingBehindItsTerminator) {
  BlockMemory memory(2 * kPageSize);
  std::ranges::fill(memory.bytes, std::byte{'x'});
  EXPECT_EQ(read_string(memory, kAt + 10, 4 * kPageSize).error(), Errno::kFault);
  EXPECT_EQ(read_string(memory, kAt + 10, 100).error(), Errno::kInval);
  memory.bytes.back() = std::byte{0};
  const std::string text = read_string(memory, kAt + 10, 4 * kPageSize).value();
  EXPECT_EQ(text, std::string(2 * kPageSize - 11, 'x'));
  EXPECT_EQ(read_string(memory, {}, 4095).error(), Errno::kFault);
}

// Against the rule: the client's bytes, zeroes where it has none, and all zero where it has more.
RC_GTEST_PROP(ReadQuery, AgreesWithTheRule, ()) {
  const auto content =
      *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 2));
  BlockMemory memory(content.size());
  for (std::size_t i = 0; i < content.size(); ++i) memory.bytes[i] = std::byte{content[i]};
  const std::size_t size = *rc::gen::inRange<std::size_t>(1, 24);
  std::vector<std::uint8_t> value(size, 0xcc);
  const Result<> read = read_query(memory, kAt, static_cast<std::uint32_t>(content.size()),
                                   value.data(), value.size());
  bool surplus = false;
  for (std::size_t i = size; i < content.size(); ++i) surplus = surplus || content[i] != 0;
  RC_ASSERT(read.has_value() == !surplus);
  if (surplus) {
    RC_ASSERT(read.error() == Errno::kTooBig);
    return;
  }
  for (std::size_t i = 0; i < size; ++i)
    RC_ASSERT(value[i] == (i < content.size() ? content[i] : 0));
  RC_ASSERT(read_query(memory, kAt, static_cast<std::uint32_t>(content.size() + 1), value.data(),
                       value.size())
                .error() == Errno::kFault);
}

}  // namespace
}  // namespace pantry::uapi
