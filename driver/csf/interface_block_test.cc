// SPDX-License-Identifier: MIT
#include "driver/csf/interface_block.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

namespace pantry::driver {
namespace {

struct Words {
  alignas(8) std::array<std::uint32_t, 4> input{};
  alignas(8) std::array<std::uint32_t, 4> output{};
  RequestWord word{InterfaceBlock(input.data()), 4, InterfaceBlock(output.data()), 8};
  std::uint32_t& request() { return input[1]; }
  std::uint32_t& acknowledge() { return output[2]; }
};

TEST(InterfaceBlock, FieldsAreLittleEndianWordsAtTheirOffsets) {
  alignas(8) std::array<std::uint32_t, 6> memory{1, 2, 3, 4, 5, 6};
  InterfaceBlock block(memory.data());
  EXPECT_EQ(block.load(8), 3u);
  EXPECT_EQ(block.load64(16), 0x6'0000'0005u);
  block.store(4, 0x1234);
  block.store64(8, 0xaaaa'bbbb'cccc'ddddu);
  EXPECT_EQ(memory, (std::array<std::uint32_t, 6>{1, 0x1234, 0xcccc'dddd, 0xaaaa'bbbb, 5, 6}));
}

TEST(InterfaceBlockDeathTest, UnalignedFieldsAndEmptyBlocks) {
  alignas(8) std::array<std::uint32_t, 4> memory{};
  EXPECT_DEATH(InterfaceBlock(memory.data()).load(2), "");
  EXPECT_DEATH(InterfaceBlock(memory.data()).load64(4), "");
  EXPECT_DEATH(InterfaceBlock().load(0), "");
}

// However the two words stand: the bits asked for differ afterwards, the others are as before, and
// asking twice asks once.
RC_GTEST_PROP(RequestWord, AskingIsRelativeToTheAcknowledge,
              (std::uint32_t request, std::uint32_t acknowledge, std::uint32_t mask)) {
  Words words;
  words.request() = request;
  words.acknowledge() = acknowledge;
  words.word.ask(mask);
  words.word.ask(mask);
  RC_ASSERT((words.word.differing() & mask) == mask);
  RC_ASSERT((words.request() & ~mask) == (request & ~mask));
  RC_ASSERT(words.acknowledge() == acknowledge);
}

RC_GTEST_PROP(RequestWord, AnsweringEndsExactlyTheseEvents,
              (std::uint32_t request, std::uint32_t acknowledge, std::uint32_t events)) {
  Words words;
  words.request() = request;
  words.acknowledge() = acknowledge;
  words.word.answer(acknowledge, events);
  RC_ASSERT(words.word.differing() == ((request ^ acknowledge) & ~events));
}

}  // namespace
}  // namespace pantry::driver
