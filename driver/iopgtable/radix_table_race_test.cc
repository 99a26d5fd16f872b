// SPDX-License-Identifier: MIT
//
// The device walks while the driver edits. A walker thread reads the tables as the device does,
// entry by entry; it must find what stays mapped at every moment, and never anything but the right
// frame. Run it under ThreadSanitizer as well.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/raw_table.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kBlock = 2 * kMiB;
// Across a 1 GiB border, so that tables of every level come and go. The frame is the address plus a
// constant.
constexpr std::uint64_t kBlocks = 128;
constexpr std::uint64_t kStart = kGiB - kBlocks / 2 * kBlock;
constexpr std::uint64_t kFrames = 16 * kGiB;
// The first pages of each block stay mapped throughout; the walker looks at them and at as many
// after them.
constexpr std::uint64_t kKept = 16 * kPageSize;

class Walker {
 public:
  explicit Walker(const RawTable& table) : table_(table), thread_([this] { run(); }) {}
  ~Walker() { stop(); }

  void look_at(std::uint64_t block) { block_.store(block, std::memory_order_relaxed); }
  // Returns once every walk that was under way has ended: what a flush promises.
  void flush() const {
    const std::uint64_t now = rounds_.load(std::memory_order_acquire);
    while (rounds_.load(std::memory_order_acquire) < now + 2) std::this_thread::yield();
  }
  void stop() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
  }
  struct Counts {
    std::uint64_t found = 0;
    std::uint64_t absent = 0;
    std::uint64_t lost = 0;   // absent, though it stays mapped
    std::uint64_t wrong = 0;  // found with another frame
  };
  // After stop().
  const Counts& counts() const { return counts_; }

 private:
  void run() {
    std::mt19937_64 random(1);
    while (!stop_.load(std::memory_order_relaxed)) {
      const std::uint64_t block = kStart + block_.load(std::memory_order_relaxed) * kBlock;
      for (int i = 0; i < 16; ++i) {
        const std::uint64_t inside = random() % (2 * kKept);
        const std::optional<RawLeaf> leaf = table_.find(block + inside);
        ++(leaf ? counts_.found : counts_.absent);
        if (!leaf && inside < kKept) ++counts_.lost;
        if (leaf && leaf->frame() + (block + inside - leaf->va) != block + inside + kFrames)
          ++counts_.wrong;
      }
      rounds_.fetch_add(1, std::memory_order_release);
      std::this_thread::yield();  // whoever waits for the end of a round goes on
    }
  }

  const RawTable table_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> block_{0};
  std::atomic<std::uint64_t> rounds_{0};
  Counts counts_;
  std::thread thread_;
};

class RadixTableRace : public ::testing::Test {
 protected:
  ~RadixTableRace() override { table_.destroy(arena_); }
  void map(std::uint64_t offset, std::uint64_t size) {
    const MapProgress progress = table_.map(GpuRange::of_size({kStart + offset}, size),
                                            ExtentCursor(extents_, offset), Prot::kNone, arena_);
    ASSERT_FALSE(progress.error);
  }
  void unmap(std::uint64_t offset, std::uint64_t size) {
    ASSERT_EQ(table_.unmap(GpuRange::of_size({kStart + offset}, size), arena_), size);
  }

  TestDram memory_{4 * kMiB};
  ArenaTableAllocator arena_{memory_.dram()};
  TableMetadata metadata_{memory_.dram()};
  ArmLpaeS1Table table_ = *ArmLpaeS1Table::create({48, 40, kPageSize | kBlock}, metadata_, arena_);
  const std::array<PhysExtent, 1> extents_{{{{kStart + kFrames}, kBlocks* kBlock}}};
  std::mt19937_64 random_{2};
};

TEST_F(RadixTableRace, TheKeptPartOfASplitBlockIsFoundAtEveryMoment) {
  map(0, kBlocks * kBlock);
  Walker walker(RawTable(memory_.dram(), table_.root(), 0));
  for (std::uint64_t block = 0; block < kBlocks; ++block) {
    walker.look_at(block);
    walker.flush();
    // A hole after the part that stays, to inside the block or to its end.
    const std::uint64_t first = kKept + random_() % 8 * kPageSize;
    const std::uint64_t size = random_() % 2 ? 8 * kPageSize : kBlock - first;
    ASSERT_EQ(table_.walk({kStart + block * kBlock})->range.size(), kBlock);
    unmap(block * kBlock + first, size);
    ASSERT_EQ(table_.walk({kStart + block * kBlock})->range.size(), kPageSize);
    walker.flush();
    map(block * kBlock + first, size);
  }
  walker.flush();
  walker.stop();
  EXPECT_EQ(walker.counts().lost, 0u);
  EXPECT_EQ(walker.counts().wrong, 0u);
  EXPECT_GT(walker.counts().found, 0u);
  EXPECT_GT(walker.counts().absent, 0u);
}

// Tables of all levels come and go under the walker's feet, and their pages are zeroed and used
// again after each flush: it finds the right frame or nothing.
TEST_F(RadixTableRace, TablesThatComeAndGoAreNeverHalfThere) {
  constexpr std::uint64_t kSize = 8 * kBlock;
  constexpr std::uint64_t kOffset =
      (kBlocks / 2 - 4) * kBlock;  // four blocks on each side of the border
  Walker walker(RawTable(memory_.dram(), table_.root(), 0));
  for (int round = 0; round < 200; ++round) {
    walker.look_at(kBlocks / 2 - 4 + random_() % 8);
    const std::uint64_t first = random_() % (kSize / kPageSize / 2) * kPageSize;
    map(kOffset + first, kSize - first);
    if (round % 2) walker.flush();
    // In two parts, so that a block is split on the way.
    const std::uint64_t cut = (1 + random_() % ((kSize - first) / kPageSize - 1)) * kPageSize;
    unmap(kOffset + first, cut);
    unmap(kOffset + first + cut, kSize - first - cut);
    walker.flush();
    arena_.after_flush();
  }
  walker.stop();
  EXPECT_EQ(walker.counts().wrong, 0u);
  EXPECT_GT(walker.counts().found, 0u);
  EXPECT_GT(walker.counts().absent, 0u);
  EXPECT_EQ(arena_.available(), memory_.dram().size / kPageSize - 1);
}

}  // namespace
}  // namespace pantry::driver
