// SPDX-License-Identifier: MIT
#include "driver/gem/buffer_names.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <vector>

#include "driver/gem/arena_backing.h"
#include "driver/gem/buffer_store.h"

namespace pantry::driver {
namespace {

struct Buffers {
  Buffers() : memory(kBytes), frames({kBase, kBytes}, {}), store(frames, dram, backing) {}
  Ref<Buffer> create() { return store.create(kPageSize, 0, {}).value(); }

  static constexpr std::uint64_t kBytes = 4 * kMiB;
  static constexpr PhysAddr kBase{0x8000'0000};
  std::vector<std::uint8_t> memory;
  const emu::Dram dram{kBase, kBytes, memory.data()};
  FrameAllocator frames;
  ArenaBacking backing{dram};
  BufferStore store;
};

TEST(BufferNames, NameLastsAsLongAsAHandle) {
  Buffers buffers;
  BufferNames names;
  const Ref<Buffer> buffer = buffers.create();
  EXPECT_EQ(names.name_of(*buffer).error(), Errno::kNoEnt) << "nobody has a handle";
  ASSERT_TRUE(names.add_handle(*buffer).has_value());
  ASSERT_TRUE(names.add_handle(*buffer).has_value());
  EXPECT_FALSE(names.find(1));
  EXPECT_EQ(names.name_of(*buffer).value(), 1u);
  EXPECT_EQ(names.name_of(*buffer).value(), 1u) << "has it already";
  names.drop_handle(*buffer);
  EXPECT_EQ(names.find(1).get(), buffer.get());
  names.drop_handle(*buffer);
  EXPECT_FALSE(names.find(1)) << "a reference alone is no handle";
  EXPECT_EQ(names.totals(), BufferNames::Totals{});
}

// Against a model: who has how many handles, and which names are given out.
RC_GTEST_PROP(BufferNames, AgreesWithAModel, ()) {
  Buffers buffers;
  BufferNames names;
  std::vector<Ref<Buffer>> all;
  for (int i = 0; i < 4; ++i) all.push_back(buffers.create());
  struct Expected {
    int handles = 0;
    std::uint32_t name = 0;
  };
  std::vector<Expected> model(all.size());
  const auto steps = *rc::gen::container<std::vector<std::pair<std::uint8_t, std::uint8_t>>>(
      rc::gen::pair(rc::gen::inRange<std::uint8_t>(0, 3), rc::gen::inRange<std::uint8_t>(0, 4)));
  for (const auto& [what, which] : steps) {
    Expected& expected = model[which];
    Buffer& buffer = *all[which];
    if (what == 0) {
      RC_ASSERT(names.add_handle(buffer).has_value());
      ++expected.handles;
    } else if (what == 1 && expected.handles != 0) {
      names.drop_handle(buffer);
      if (--expected.handles == 0) expected.name = 0;
    } else if (what == 2) {
      const Result<std::uint32_t> name = names.name_of(buffer);
      RC_ASSERT(name.has_value() == (expected.handles != 0));
      if (name && expected.name == 0) {
        std::uint32_t lowest = 1;
        for (bool taken = true; taken; lowest += taken ? 1 : 0) {
          taken = false;
          for (const Expected& other : model) taken = taken || other.name == lowest;
        }
        expected.name = lowest;
      }
      if (name) RC_ASSERT(*name == expected.name);
    }
    for (std::uint32_t name = 1; name <= all.size(); ++name) {
      const Buffer* owner = nullptr;
      for (std::size_t i = 0; i < all.size(); ++i)
        if (model[i].name == name) owner = all[i].get();
      RC_ASSERT(names.find(name).get() == owner);
    }
  }
}

}  // namespace
}  // namespace pantry::driver
