// SPDX-License-Identifier: MIT
#include "driver/memory/frame_allocator.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "driver/kernel/each_executor.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr OwnerId kOwner{7};

FrameAllocator::Options compact() { return {FrameAllocator::Placement::kCompact, 0, nullptr}; }
FrameAllocator::Options scatter(std::uint64_t seed) {
  return {FrameAllocator::Placement::kScatter, seed, nullptr};
}
std::uint64_t total(const Extents& extents) {
  std::uint64_t bytes = 0;
  for (const PhysExtent& extent : extents) bytes += extent.size;
  return bytes;
}

// Who owns what, as the port is told; objects to a frame that is given to two or freed twice.
class OwnerMap final : public emu::FrameOwner {
 public:
  void changed(PhysExtent frames, std::uint64_t owner) override {
    for (std::uint64_t at = 0; at < frames.size; at += kPageSize) {
      std::uint64_t& now = owners[frames.start.value + at];
      if ((now == 0) == (owner == 0)) ++mistakes;
      now = owner;
    }
  }
  std::uint64_t owned() const {
    return static_cast<std::uint64_t>(std::count_if(
        owners.begin(), owners.end(), [](const auto& entry) { return entry.second != 0; }));
  }
  std::map<std::uint64_t, std::uint64_t> owners;
  int mistakes = 0;
};

TEST(FrameAllocator, StartsWithTheLargestBlocksThatAlignmentAllows) {
  // 4 KiB below 2 MiB, one 2 MiB, one 4 MiB, one 4 KiB.
  FrameAllocator frames({{kBlock - kPageSize}, 3 * kBlock + 2 * kPageSize}, compact());
  const FrameStatistics statistics = frames.statistics();
  EXPECT_EQ(statistics.total, 3 * 512 + 2u);
  EXPECT_EQ(statistics.free, statistics.total);
  EXPECT_EQ(statistics.used, 0u);
  EXPECT_EQ(statistics.free_blocks[0], 2u);
  EXPECT_EQ(statistics.free_blocks[9], 1u);
  EXPECT_EQ(statistics.free_blocks[10], 1u);
}

TEST(FrameAllocator, BlocksAreAlignedInDramAndMergeAgain) {
  FrameAllocator frames({{0x8000'0000 + kBlock}, 7 * kBlock}, compact());
  const FrameStatistics before = frames.statistics();
  std::vector<PhysExtent> out;
  for (std::uint32_t order = 0; order <= 10; ++order) {
    const Result<PhysAddr> block = frames.alloc({order}, kOwner);
    ASSERT_TRUE(block.has_value()) << order;
    EXPECT_TRUE(is_aligned(block->value, FrameOrder{order}.bytes()));
    out.push_back({*block, FrameOrder{order}.bytes()});
  }
  frames.free(out);
  EXPECT_EQ(frames.statistics().free_blocks, before.free_blocks);
  EXPECT_EQ(frames.statistics().used, 0u);
  EXPECT_EQ(frames.statistics().peak_used, 2047u);
}

TEST(FrameAllocator, ContiguousPiecesWasteNothing) {
  FrameAllocator frames({{0}, 4 * kMiB}, compact());
  const Result<PhysExtent> extent = frames.alloc_contiguous(5 * kPageSize, kOwner);
  ASSERT_TRUE(extent.has_value());
  EXPECT_TRUE(is_aligned(extent->start.value, 8 * kPageSize));
  EXPECT_EQ(extent->size, 5 * kPageSize);
  EXPECT_EQ(frames.statistics().used, 5u);
  // The three frames behind it are there for others.
  const Result<PhysAddr> single = frames.alloc({0}, kOwner);
  ASSERT_TRUE(single.has_value());
  EXPECT_EQ(*single, extent->start + 5 * kPageSize);
  frames.free({*single, kPageSize});
  frames.free(*extent);
  EXPECT_EQ(frames.statistics().free_blocks[10], 1u);
  EXPECT_EQ(frames.alloc_contiguous(4 * kMiB + kPageSize, kOwner).error(), Errno::kNoMem);
}

TEST(FrameAllocator, LargeRequestsComeInBlocksThatLieAlikeInBufferAndDram) {
  FrameAllocator frames({{kBlock - 16 * kPageSize}, 64 * kMiB}, compact());
  const std::uint64_t bytes = 5 * kBlock + 300 * kPageSize;
  const Result<Extents> extents = frames.alloc_extents(bytes, 64 * kKiB, kOwner);
  ASSERT_TRUE(extents.has_value());
  EXPECT_EQ(total(*extents), bytes);
  EXPECT_LE(extents->size(), 3u) << "4 blocks, 1 block, the tail";
  std::uint64_t offset = 0;
  for (const PhysExtent& extent : *extents) {
    if (offset + kBlock <= bytes) {
      EXPECT_TRUE(is_aligned(extent.start.value, kBlock));
      EXPECT_TRUE(is_aligned(offset, kBlock));
    }
    offset += extent.size;
  }
  frames.free(*extents);
}

TEST(FrameAllocator, PiecesAreNeverSmallerThanAskedButForTheTail) {
  FrameAllocator frames({{0}, kMiB}, compact());
  // Every other 64 KiB is taken, and in what is left every other frame.
  std::vector<PhysAddr> blocks;
  while (const Result<PhysAddr> block = frames.alloc({4}, kOwner)) blocks.push_back(*block);
  ASSERT_EQ(blocks.size(), 16u);
  for (std::size_t i = 0; i < 8; ++i) frames.free({blocks[2 * i], 64 * kKiB});
  const Result<Extents> extents =
      frames.alloc_extents(7 * 64 * kKiB + 4 * kPageSize, 64 * kKiB, kOwner);
  ASSERT_TRUE(extents.has_value());
  ASSERT_EQ(extents->size(), 8u);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ((*extents)[i].size, 64 * kKiB);
  EXPECT_EQ(extents->back().size, 4 * kPageSize);
  // 48 KiB are left, but not in one piece of 64.
  EXPECT_EQ(frames.alloc_extents(64 * kKiB, 64 * kKiB, kOwner).error(), Errno::kNoMem);
  EXPECT_EQ(frames.statistics().free, 12u) << "a failure gives everything back";
  EXPECT_TRUE(frames.alloc_extents(48 * kKiB, kPageSize, kOwner).has_value());
}

TEST(FrameAllocator, ScatterGivesSingleFramesInShuffledOrder) {
  FrameAllocator frames({{0}, 16 * kMiB}, scatter(1));
  const Result<Extents> extents = frames.alloc_extents(4 * kMiB, 2 * kMiB, kOwner);
  ASSERT_TRUE(extents.has_value());
  ASSERT_EQ(extents->size(), 1024u);
  std::set<std::uint64_t> seen;
  int followers = 0;
  for (std::size_t i = 0; i < extents->size(); ++i) {
    EXPECT_EQ((*extents)[i].size, kPageSize);
    EXPECT_TRUE(seen.insert((*extents)[i].start.value).second);
    followers += i > 0 && (*extents)[i].start == (*extents)[i - 1].start + kPageSize;
  }
  EXPECT_LT(followers, 10);
  // The same seed gives the same frames, another one others.
  FrameAllocator same({{0}, 16 * kMiB}, scatter(1));
  EXPECT_EQ(*same.alloc_extents(4 * kMiB, 2 * kMiB, kOwner), *extents);
  FrameAllocator other({{0}, 16 * kMiB}, scatter(2));
  EXPECT_NE(*other.alloc_extents(4 * kMiB, 2 * kMiB, kOwner), *extents);
  // To the last frame, and back to one block.
  const Result<Extents> rest = frames.alloc_extents(12 * kMiB, kPageSize, kOwner);
  ASSERT_TRUE(rest.has_value());
  EXPECT_EQ(frames.alloc({0}, kOwner).error(), Errno::kNoMem);
  frames.free(*rest);
  frames.free(*extents);
  EXPECT_EQ(frames.statistics().free_blocks[12], 1u);
}

TEST(FrameAllocator, EachAllocationCanBeMadeToFail) {
  FrameAllocator frames({{0}, 4 * kMiB}, compact());
  frames.faults().fail_nth(1);
  EXPECT_EQ(frames.alloc({0}, kOwner).error(), Errno::kNoMem);
  frames.faults().fail_nth(1);
  EXPECT_EQ(frames.alloc_contiguous(kPageSize, kOwner).error(), Errno::kNoMem);
  frames.faults().fail_nth(1);
  EXPECT_EQ(frames.alloc_extents(kMiB, kPageSize, kOwner).error(), Errno::kNoMem);
  EXPECT_TRUE(frames.faults().fired());
  EXPECT_EQ(frames.statistics().used, 0u);
  EXPECT_EQ(frames.statistics().failures, 3u);
  EXPECT_TRUE(frames.alloc_extents(kMiB, kPageSize, kOwner).has_value());
}

// The list of pieces takes memory, too.
TEST(FrameAllocator, AListOfPiecesThatCannotGrowLosesNone) {
  FrameAllocator frames({{0}, 4 * kMiB}, scatter(1));
  std::uint64_t n = 1;
  for (;; ++n) {
    frames.faults().fail_nth(n);
    const Result<Extents> extents = frames.alloc_extents(100 * kPageSize, kPageSize, kOwner);
    if (!frames.faults().fired()) {
      EXPECT_EQ(frames.statistics().used, 100u);
      break;
    }
    ASSERT_EQ(extents.error(), Errno::kNoMem);
    ASSERT_EQ(frames.statistics().used, 0u) << "allocation " << n;
  }
  EXPECT_GT(n, 2u);
}

TEST(FrameAllocator, TellsThePortWhoOwnsWhat) {
  OwnerMap owners;
  FrameAllocator frames({{0}, 4 * kMiB}, {FrameAllocator::Placement::kCompact, 0, &owners});
  const OwnerId a = frames.new_owner();
  const OwnerId b = frames.new_owner();
  EXPECT_NE(a, b);
  EXPECT_NE(a.value, 0u);
  const Extents extents = *frames.alloc_extents(10 * kPageSize, kPageSize, a);
  const PhysExtent contiguous = *frames.alloc_contiguous(3 * kPageSize, b);
  EXPECT_EQ(owners.owned(), 13u);
  EXPECT_EQ(owners.owners[extents.front().start.value], a.value);
  EXPECT_EQ(owners.owners[contiguous.start.value + 2 * kPageSize], b.value);
  frames.free(extents);
  frames.free(contiguous);
  EXPECT_EQ(owners.owned(), 0u);
  EXPECT_EQ(owners.mistakes, 0);
}

// Random requests of all kinds, partial frees included, against a set of frames.
TEST(FrameAllocator, NeverGivesAFrameTwiceAndLosesNone) {
  EXPECT_TRUE(rc::check([] {
    const std::uint64_t start = *rc::gen::inRange<std::uint64_t>(0, 1024) * kPageSize;
    const std::uint64_t count = *rc::gen::inRange<std::uint64_t>(1, 3000);
    OwnerMap owners;
    const bool scattered = *rc::gen::arbitrary<bool>();
    FrameAllocator frames(
        {{start}, count * kPageSize},
        {scattered ? FrameAllocator::Placement::kScatter : FrameAllocator::Placement::kCompact,
         *rc::gen::arbitrary<std::uint64_t>(), &owners});
    const FrameStatistics fresh = frames.statistics();
    std::set<std::uint64_t> used;
    std::vector<PhysExtent> out;
    const auto take = [&](PhysExtent extent) {
      RC_ASSERT(extent.size > 0u);
      RC_ASSERT(extent.start.value >= start);
      RC_ASSERT(extent.start.value + extent.size <= start + count * kPageSize);
      for (std::uint64_t at = 0; at < extent.size; at += kPageSize)
        RC_ASSERT(used.insert(extent.start.value + at).second);
      out.push_back(extent);
    };
    const int steps = *rc::gen::inRange(1, 60);
    for (int i = 0; i < steps; ++i) {
      const std::uint64_t pages = *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(1, 40),
                                                  rc::gen::inRange<std::uint64_t>(1, 1200));
      const std::uint64_t free = frames.statistics().free;
      switch (*rc::gen::inRange(0, 5)) {
        case 0: {
          const FrameOrder order{*rc::gen::inRange<std::uint32_t>(0, 11)};
          const Result<PhysAddr> block = frames.alloc(order, kOwner);
          if (order.value == 0) RC_ASSERT(block.has_value() == (free != 0));
          if (!block) break;
          RC_ASSERT(is_aligned(block->value, order.bytes()));
          take({*block, order.bytes()});
          break;
        }
        case 1: {
          const Result<PhysExtent> extent = frames.alloc_contiguous(pages * kPageSize, kOwner);
          if (!extent) break;
          RC_ASSERT(extent->size == pages * kPageSize);
          take(*extent);
          break;
        }
        case 2: {
          const std::uint64_t min_piece =
              *rc::gen::elementOf(std::vector<std::uint64_t>{kPageSize, 16 * kPageSize, kBlock});
          const Result<Extents> extents =
              frames.alloc_extents(pages * kPageSize, min_piece, kOwner);
          if (min_piece == kPageSize || scattered)
            RC_ASSERT(extents.has_value() == (pages <= free));
          if (!extents) {
            RC_ASSERT(frames.statistics().free == free);
            break;
          }
          RC_ASSERT(total(*extents) == pages * kPageSize);
          for (std::size_t n = 0; n + 1 < extents->size() && !scattered; ++n)
            RC_ASSERT((*extents)[n].size >= min_piece);
          for (const PhysExtent& extent : *extents) take(extent);
          break;
        }
        default: {
          if (out.empty()) break;
          const std::size_t which = *rc::gen::inRange<std::size_t>(0, out.size());
          PhysExtent& extent = out[which];
          // All of it, or a part of it at either end.
          const std::uint64_t part =
              *rc::gen::inRange<std::uint64_t>(1, extent.size / kPageSize + 1) * kPageSize;
          const bool front = *rc::gen::arbitrary<bool>();
          const PhysExtent gone{front ? extent.start : extent.start + (extent.size - part), part};
          frames.free(gone);
          for (std::uint64_t at = 0; at < part; at += kPageSize) used.erase(gone.start.value + at);
          if (front) extent.start = extent.start + part;
          extent.size -= part;
          if (extent.size == 0) out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
        }
      }
      const FrameStatistics statistics = frames.statistics();
      RC_ASSERT(statistics.used == used.size());
      RC_ASSERT(statistics.free == count - used.size());
      std::uint64_t in_blocks = 0;
      for (std::uint32_t order = 0; order <= kMaxFrameOrder.value; ++order)
        in_blocks += statistics.free_blocks[order] << order;
      RC_ASSERT(in_blocks == statistics.free);
      RC_ASSERT(owners.owned() == used.size());
    }
    frames.free(out);
    RC_ASSERT(owners.mistakes == 0);
    // Everything has merged again.
    RC_ASSERT(frames.statistics().free_blocks == fresh.free_blocks);
  }));
}

TEST(FrameAllocator, ThreadsShareIt) {
  FrameAllocator frames({{0}, 8 * kMiB}, compact());
  const FrameStatistics fresh = frames.statistics();
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 300; ++i) {
        const Result<Extents> extents =
            frames.alloc_extents((1 + (i * 7 + t) % 200) * kPageSize, kPageSize, kOwner);
        if (extents) frames.free(*extents);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(frames.statistics().free_blocks, fresh.free_blocks);
}

TEST(FrameAllocatorDeathTest, CatchesFreesThatDoNotMatch) {
  FrameAllocator frames({{kBlock}, kBlock}, compact());
  const PhysExtent extent = *frames.alloc_contiguous(4 * kPageSize, kOwner);
  EXPECT_DEATH(frames.free({extent.start, 5 * kPageSize}), "CHECK");
  EXPECT_DEATH(frames.free({{2 * kBlock}, kPageSize}), "CHECK");
  EXPECT_DEATH(frames.free({{kBlock - kPageSize}, 2 * kPageSize}), "CHECK");
  frames.free(extent);
  EXPECT_DEATH(frames.free(extent), "CHECK");
  EXPECT_DEATH((void)frames.alloc_contiguous(kPageSize + 1, kOwner), "CHECK");
}

TEST(FrameAllocatorDeathTest, IsClosedInsideASection) {
  FrameAllocator frames({{kBlock}, kBlock}, compact());
  const PhysExtent extent = *frames.alloc_contiguous(kPageSize, kOwner);
  WorkLane lane("clean-up", WorkLane::Items::kMayWait);
  Cleanup cleanup(lane);
  // Through a lambda, which the compile-time net does not see through.
  const auto in_section = [&](auto call) {
    SignallingSection section(cleanup);
    call();
  };
  EXPECT_DEATH(in_section([&] { (void)frames.alloc({0}, kOwner); }), "CHECK");
  EXPECT_DEATH(in_section([&] { frames.free(extent); }), "CHECK");
}

TEST(FrameAllocator, WaitsForFramesThatAreOnTheirWay) {
  for_each_executor(1, [](Executor& executor) {
    OwnerMap owners;
    FrameAllocator frames({{kMiB}, kMiB}, {FrameAllocator::Placement::kCompact, 0, &owners});
    const Extents first = *frames.alloc_extents(512 * kKiB, kPageSize, kOwner);
    const Extents second = *frames.alloc_extents(512 * kKiB, kPageSize, kOwner);
    frames.expect(first);
    frames.expect(second);
    EXPECT_EQ(owners.owned(), 0u);
    auto returning = test_thread([&] {
      frames.free_expected(first);
      executor.clock().sleep(microseconds(10));
      frames.free_expected(second);
    });
    executor.spawn("returning", returning);
    // Needs both; in work that the device waits for as well, as no fence is waited for.
    const NoReclaim at_once;
    const Result<PhysExtent> all = frames.alloc_contiguous(kMiB, kOwner);
    ASSERT_TRUE(all);
    EXPECT_EQ(frames.alloc({0}, kOwner).error(), Errno::kNoMem) << "nothing more is on its way";
    frames.free(*all);
    executor.join_spawned();
    EXPECT_EQ(frames.statistics().used, 0u);
    EXPECT_EQ(owners.mistakes, 0);
  });
}

// Otherwise whoever asks for more than there is waits for as long as others come and go.
TEST(FrameAllocator, ARefusalDoesNotWaitForWhatIsExpectedLater) {
  for_each_seed(1, [](SimExecutor& executor) {
    FrameAllocator frames({{kMiB}, kMiB}, {});
    const Extents kept = *frames.alloc_extents(512 * kKiB, kPageSize, kOwner);
    std::atomic<bool> refused = false;
    bool outlasted = false;
    auto others = test_thread([&] {
      Extents leaving = *frames.alloc_extents(64 * kKiB, kPageSize, kOwner);
      frames.expect(leaving);
      // Something is on its way all the time.
      for (int i = 0; i < 1000 && !refused; ++i) {
        Extents next = *frames.alloc_extents(64 * kKiB, kPageSize, kOwner);
        frames.expect(next);
        frames.free_expected(leaving);
        leaving = std::move(next);
        executor.clock().sleep(microseconds(1));
      }
      outlasted = refused;
      frames.free_expected(leaving);
    });
    executor.spawn("others", others);
    executor.clock().sleep(microseconds(5));
    EXPECT_EQ(frames.alloc_contiguous(kMiB, kOwner).error(), Errno::kNoMem);
    refused = true;
    executor.join_spawned();
    EXPECT_TRUE(outlasted);
    frames.free(kept);
    EXPECT_EQ(frames.statistics().used, 0u);
  });
}

// Asked before an allocation fails, as often as it helps.
TEST(FrameAllocator, AsksForFramesBeforeItSaysENOMEM) {
  FrameAllocator frames({{kMiB}, kMiB}, {});
  class GiveBack final : public Reclaimer {
   public:
    explicit GiveBack(FrameAllocator& to) : to_(to) {}
    std::uint64_t reclaim(std::uint64_t bytes) override {
      ++asked;
      wanted = bytes;
      if (held.empty()) return 0;
      const PhysExtent one = held.back();
      held.pop_back();
      to_.free(one);
      return one.size;
    }
    std::vector<PhysExtent> held;
    int asked = 0;
    std::uint64_t wanted = 0;

   private:
    FrameAllocator& to_;
  } reclaimer(frames);
  for (int i = 0; i < 4; ++i) reclaimer.held.push_back(*frames.alloc_contiguous(256 * kKiB, {1}));
  EXPECT_EQ(frames.alloc({0}, {2}).error(), Errno::kNoMem);
  EXPECT_EQ(reclaimer.asked, 0);

  frames.set_reclaimer(&reclaimer);
  {
    const NoReclaim here;
    EXPECT_EQ(frames.alloc({0}, {2}).error(), Errno::kNoMem);
    EXPECT_EQ(reclaimer.asked, 0);
  }
  const Extents large = *frames.alloc_extents(512 * kKiB, kPageSize, {2});
  EXPECT_EQ(reclaimer.asked, 2);
  EXPECT_EQ(reclaimer.held.size(), 2u);
  EXPECT_EQ(frames.alloc_extents(2 * kMiB, kPageSize, {2}).error(), Errno::kNoMem);
  EXPECT_EQ(reclaimer.asked, 2) << "there is not as much at all";
  const PhysAddr page = *frames.alloc({0}, {2});
  EXPECT_EQ(reclaimer.asked, 3);
  EXPECT_EQ(reclaimer.wanted, kPageSize);
  frames.faults().fail_nth(1);
  EXPECT_EQ(frames.alloc_contiguous(kMiB, {2}).error(), Errno::kNoMem);
  EXPECT_EQ(reclaimer.asked, 3) << "an injected failure";
  EXPECT_EQ(frames.alloc_contiguous(kMiB, {2}).error(), Errno::kNoMem);
  EXPECT_EQ(reclaimer.asked, 5) << "once with success, once without";
  frames.set_reclaimer(nullptr);
  frames.free(large);
  frames.free({page, kPageSize});
  EXPECT_EQ(frames.statistics().used, 0u);
}

}  // namespace
}  // namespace pantry::driver
