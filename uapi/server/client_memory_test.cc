// SPDX-License-Identifier: MIT
#include "uapi/server/client_memory.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <numeric>
#include <vector>

namespace pantry::uapi {
namespace {

using Bytes = std::vector<std::uint8_t>;

UserAddr address_of(const void* at) { return {reinterpret_cast<std::uint64_t>(at)}; }

// On and around the argument, whatever part of it came with the request: all is read as if the host
// worked on the client's memory directly, and with the answer put into place it is as if it had.
RC_GTEST_PROP(ClientMemory, ReadsAndEndsAsTheProcessDoes, ()) {
  constexpr std::size_t kSize = 3 * wire::kMostCarried;
  Bytes client(kSize);
  std::iota(client.begin(), client.end(), std::uint8_t{0});
  Bytes model = client;
  const auto argument = *rc::gen::inRange<std::size_t>(0, kSize - wire::kMostCarried);
  const auto carried = *rc::gen::inRange<std::size_t>(0, wire::kMostCarried + 1);
  ClientMemory memory(::getpid(), address_of(&client[argument]),
                      std::as_bytes(std::span(client).subspan(argument, carried)));
  for (int n = *rc::gen::inRange(0, 12); n > 0; --n) {
    const auto start =
        *rc::gen::oneOf(rc::gen::just(argument), rc::gen::inRange<std::size_t>(0, kSize));
    const auto bytes = *rc::gen::oneOf(rc::gen::inRange<std::size_t>(0, 16),
                                       rc::gen::inRange<std::size_t>(0, kSize));
    const std::size_t count = std::min(bytes, kSize - start);
    const auto in_model = model.begin() + static_cast<std::ptrdiff_t>(start);
    if (*rc::gen::arbitrary<bool>()) {
      Bytes got(count);
      RC_ASSERT(memory.read(address_of(&client[0]) + start, got.data(), count).has_value());
      RC_ASSERT(std::equal(got.begin(), got.end(), in_model));
    } else {
      const Bytes data(count, static_cast<std::uint8_t>(200 + n));
      RC_ASSERT(memory.write(address_of(&client[0]) + start, data.data(), count).has_value());
      std::copy(data.begin(), data.end(), in_model);
    }
  }
  const auto answer = memory.answer();
  RC_ASSERT(answer.size() <= carried);
  std::copy(
      answer.begin(), answer.end(),
      std::as_writable_bytes(std::span(client)).begin() + static_cast<std::ptrdiff_t>(argument));
  RC_ASSERT(client == model);
}

// What the client changes afterwards is nobody's business.
TEST(ClientMemory, ArgumentIsWhatItWas) {
  std::uint64_t argument[2] = {1, 2};
  ClientMemory memory(::getpid(), address_of(argument), std::as_bytes(std::span(argument)));
  argument[0] = argument[1] = 77;
  std::uint64_t got[2] = {};
  ASSERT_TRUE(memory.read(address_of(argument), got, sizeof got));
  EXPECT_EQ(got[0], 1u);
  ASSERT_TRUE(memory.read(address_of(argument) + 8, got, 8));
  EXPECT_EQ(got[0], 2u);
  EXPECT_TRUE(memory.answer().empty());
  got[0] = 3;
  ASSERT_TRUE(memory.write(address_of(argument), got, 8));
  EXPECT_EQ(argument[0], 77u) << "goes with the reply";
  EXPECT_EQ(memory.answer().size(), 8u);
}

TEST(ClientMemory, RestOfTheProcessHasBadPointersStill) {
  const std::uint64_t argument = 1;
  const UserAddr nowhere{64};
  ClientMemory memory(::getpid(), nowhere, std::as_bytes(std::span(&argument, 1)));
  std::uint64_t got = 0;
  EXPECT_TRUE(memory.read(nowhere, &got, 8));
  EXPECT_EQ(memory.read(nowhere, &got, 9).error(), Errno::kFault);
  EXPECT_EQ(memory.read(nowhere + 1, &got, 8).error(), Errno::kFault);
  EXPECT_EQ(memory.read(UserAddr{63}, &got, 8).error(), Errno::kFault);
  EXPECT_EQ(memory.write(nowhere + 4, &got, 4).error(), Errno::kFault);
  EXPECT_EQ(memory.write(nowhere, &got, 9).error(), Errno::kFault);
  EXPECT_EQ(memory.read(UserAddr{~std::uint64_t{0}}, &got, 8).error(), Errno::kFault);
}

}  // namespace
}  // namespace pantry::uapi
