// SPDX-License-Identifier: MIT
#include "driver/iopgtable/epoch_allocator.h"

#include <gtest/gtest.h>

#include <optional>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/page_table_allocator_conformance.h"

namespace pantry::driver {
namespace {

constexpr std::uint32_t kPages = 16;

class EpochHarness {
 public:
  PageTableAllocator& allocator() { return epoch_; }
  const emu::Dram& dram() const { return memory_.dram(); }
  std::uint32_t capacity() const { return kPages; }
  void after_flush() {
    for (int i = 0; i < 2; ++i) epoch_.after_flush();
    arena_.after_flush();
  }

 protected:
  TestDram memory_{kPages * kPageSize};
  ArenaTableAllocator arena_{memory_.dram()};
  TableMetadata metadata_{memory_.dram()};
  Epochs epochs_;
  EpochAllocator epoch_{arena_, metadata_, epochs_};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Epoch, PageTableAllocatorConformance, EpochHarness);

class EpochAllocatorTest : public EpochHarness, public ::testing::Test {
 protected:
  void free_one() { epoch_.free(*epoch_.alloc(kPageSize), kPageSize); }
};

TEST_F(EpochAllocatorTest, APageWaitsForSectionsThatBeganBeforeItsFlush) {
  free_one();
  std::optional<EpochSection> early(epochs_);
  EXPECT_EQ(epoch_.after_flush(), 0u);
  const EpochSection late(epochs_);
  EXPECT_EQ(epoch_.after_flush(), 0u);
  early.reset();
  EXPECT_EQ(epoch_.after_flush(), 1u);
}

// What is freed later does not make it wait longer, though a section is always open.
TEST_F(EpochAllocatorTest, APageComesBackHoweverMuchIsFreedMeanwhile) {
  std::optional<EpochSection> sections[2];
  std::uint32_t given = 0;
  for (int i = 0; i < 12; ++i) {
    sections[i % 2].emplace(epochs_);
    free_one();
    given += epoch_.after_flush();
    sections[(i + 1) % 2].reset();
  }
  EXPECT_GE(given, 8u);
  sections[0].reset();
  sections[1].reset();
  for (int i = 0; i < 2; ++i) given += epoch_.after_flush();
  EXPECT_EQ(given, 12u);
}

TEST_F(EpochAllocatorTest, WithoutAFlushNothingComesBack) {
  free_one();
  epochs_.end();
  EXPECT_EQ(epoch_.waiting(), 1u);
  EXPECT_EQ(arena_.available(), kPages - 1u);
  for (int i = 0; i < 2; ++i) epoch_.after_flush();
}

TEST(Epochs, SectionsNest) {
  Epochs epochs;
  const std::uint64_t ended = epochs.end();
  EXPECT_TRUE(epochs.has_passed(ended));
  std::uint64_t inside;
  {
    const EpochSection outer(epochs);
    const EpochSection inner(epochs);
    inside = epochs.end();
    EXPECT_FALSE(epochs.has_passed(inside));
    EXPECT_TRUE(epochs.has_passed(ended));
  }
  EXPECT_TRUE(epochs.has_passed(inside));
}

}  // namespace
}  // namespace pantry::driver
