// SPDX-License-Identifier: MIT
//
// Two threads edit disjoint ranges of one table, four walk it, and the pages of freed tables are
// zeroed and used again meanwhile. Run it under ThreadSanitizer as well.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_shared_table.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/epoch_allocator.h"
#include "driver/iopgtable/raw_table.h"
#include "driver/iopgtable/repeated_frames.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr std::uint64_t kChunk = 128 * kKiB;
constexpr std::uint64_t kChunks = kBlock / kChunk;  // of a window
// Windows of 2 MiB that share tables of different levels.
constexpr std::array<std::uint64_t, 6> kWindows{0,          kBlock,    kGiB, 512 * kGiB - kBlock,
                                                512 * kGiB, 513 * kGiB};
constexpr std::uint64_t kWriters = 2;
constexpr int kReaders = 4;

std::uint64_t frame_of(std::uint64_t va) { return (va & (kGiB - 1)) + (va >> 30) % 512 * kMiB; }

template <class Table>
class EditedTable : public ::testing::Test {
 protected:
  ~EditedTable() override {
    table_.destroy(arena_);
    arena_.after_flush();
    EXPECT_EQ(arena_.available(), memory_.dram().size / kPageSize);
  }

  // One thread that edits, as a driver would: edit, flush, let freed pages go.
  class Writer {
   public:
    explicit Writer(EditedTable& test) : test_(test) {}
    ~Writer() {
      while (allocator_.waiting() != 0) done();
    }
    void map(std::uint64_t va, std::uint64_t size, Prot prot) {
      const std::array<PhysExtent, 1> extents{{{{frame_of(va)}, size}}};
      insist(size, [&]() -> Result<std::uint64_t> {
        const MapProgress progress = test_.table_.map(GpuRange::of_size({va}, size),
                                                      ExtentCursor(extents, 0), prot, allocator_);
        if (!progress.error) return progress.mapped;
        if (progress.mapped != 0) {
          const Result<std::uint64_t> undone =
              test_.table_.unmap(GpuRange::of_size({va}, progress.mapped), allocator_);
          failures_ += undone != Result<std::uint64_t>(progress.mapped);
        }
        return Error(*progress.error);
      });
    }
    void unmap(std::uint64_t va, std::uint64_t size, std::uint64_t expected) {
      insist(expected,
             [&] { return test_.table_.unmap(GpuRange::of_size({va}, size), allocator_); });
    }
    void protect(std::uint64_t va, std::uint64_t size, Prot prot) {
      insist(size,
             [&] { return test_.table_.protect(GpuRange::of_size({va}, size), prot, allocator_); });
    }
    void done() {
      if (allocator_.after_flush() != 0) test_.arena_.after_flush();
    }
    std::uint64_t failures() const { return failures_; }

   private:
    // While a thread inside of a section does not run, no page comes back: then it is its turn.
    template <class Edit>
    void insist(std::uint64_t expected, Edit edit) {
      for (;;) {
        Result<std::uint64_t> bytes = [&] {
          const EpochSection section(test_.epochs_);
          return edit();
        }();
        if (!bytes && bytes.error() == Errno::kNoMem) {
          done();
          std::this_thread::yield();
          continue;
        }
        failures_ += bytes != Result<std::uint64_t>(expected);
        return;
      }
    }

    EditedTable& test_;
    EpochAllocator allocator_{test_.arena_, test_.metadata_, test_.epochs_};
    std::uint64_t failures_ = 0;
  };

  struct Counts {
    std::uint64_t found = 0;
    std::uint64_t absent = 0;
    std::uint64_t wrong = 0;  // another frame than the address asks for
    std::uint64_t lost = 0;   // absent, though it stays mapped
  };
  // Looks at addresses that `where` picks, and at the leaves of their windows; `stays` says which
  // addresses are always mapped.
  template <class Where, class Stays>
  Counts read(std::uint64_t seed, const std::atomic<bool>& stop, Where where, Stays stays) {
    Counts counts;
    std::mt19937_64 random(seed);
    ++reading_;
    while (!stop.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 32; ++i) {
        const std::uint64_t va = where(random);
        const EpochSection section(epochs_);
        const std::optional<PhysAddr> found = table_.iova_to_phys({va});
        ++(found ? counts.found : counts.absent);
        if (found && found->value != frame_of(va)) ++counts.wrong;
        if (!found && stays(va)) ++counts.lost;
      }
      const std::uint64_t window = align_down(where(random), kBlock);
      const EpochSection section(epochs_);
      table_.for_each_leaf(GpuRange::of_size({window}, kBlock), [&](const Leaf& leaf) {
        if (leaf.frame.value != frame_of(leaf.range.first.value)) ++counts.wrong;
      });
      std::this_thread::yield();
    }
    return counts;
  }
  template <class Where, class Stays>
  Counts with_readers(const std::vector<std::function<void()>>& writers, Where where, Stays stays) {
    std::atomic<bool> stop{false};
    std::array<Counts, kReaders> counts;
    std::vector<std::thread> readers;
    reading_ = 0;
    for (int i = 0; i < kReaders; ++i)
      readers.emplace_back([&, i] { counts[i] = read(100 + i, stop, where, stays); });
    while (reading_ < kReaders) std::this_thread::yield();
    std::vector<std::thread> threads;
    for (const auto& writer : writers) threads.emplace_back(writer);
    for (std::thread& thread : threads) thread.join();
    stop = true;
    for (std::thread& reader : readers) reader.join();
    Counts sum;
    for (const Counts& one : counts) {
      sum.found += one.found;
      sum.absent += one.absent;
      sum.wrong += one.wrong;
      sum.lost += one.lost;
    }
    return sum;
  }

  // Each writer has every other chunk of each window, so that they share tables of every level, of
  // which any may become empty and go at any moment.
  void come_and_go(std::uint64_t writer_count) {
    std::array<std::set<std::uint64_t>, kWriters> mapped;  // chunks, by address
    std::atomic<std::uint64_t> failures{0};
    std::vector<std::function<void()>> writers;
    for (std::uint64_t me = 0; me < writer_count; ++me) {
      writers.push_back([&, me] {
        Writer writer(*this);
        std::mt19937_64 random(me);
        std::set<std::uint64_t>& mine = mapped[me];
        for (int n = 0; n < 4000; ++n) {
          // Few of the windows at a time, so that they empty often.
          const std::uint64_t window = kWindows[(n / 64 + random() % 2) % kWindows.size()];
          const std::uint64_t chunk = window + (random() % (kChunks / 2) * 2 + me) * kChunk;
          if (!mine.contains(chunk)) {
            writer.map(chunk, kChunk, Prot::kNone);
            mine.insert(chunk);
          } else if (random() % 4 == 0) {
            writer.protect(chunk, kChunk, Prot::kReadOnly);
          } else {
            // In two parts.
            const std::uint64_t part = (1 + random() % (kChunk / kPageSize - 1)) * kPageSize;
            writer.unmap(chunk, part, part);
            writer.unmap(chunk + part, kChunk - part, kChunk - part);
            mine.erase(chunk);
          }
          if (n % 64 == 63) {
            for (const std::uint64_t old : mine) writer.unmap(old, kChunk, kChunk);
            mine.clear();
          }
          writer.done();
        }
        failures += writer.failures();
      });
    }
    const Counts counts = with_readers(
        writers,
        [](std::mt19937_64& random) {
          return kWindows[random() % kWindows.size()] + random() % kBlock;
        },
        [](std::uint64_t) { return false; });
    EXPECT_EQ(failures, 0u);
    EXPECT_EQ(counts.wrong, 0u);
    EXPECT_GT(counts.found, 0u);
    EXPECT_GT(counts.absent, 0u);

    std::set<std::uint64_t> expected;
    for (const auto& chunks : mapped)
      for (const std::uint64_t chunk : chunks)
        for (std::uint64_t at = 0; at < kChunk; at += kPageSize) expected.insert(chunk + at);
    const RawTable::Contents contents = RawTable(memory_.dram(), table_.root(), 0).read_all();
    std::set<std::uint64_t> found;
    for (const RawLeaf& leaf : contents.leaves) found.insert(leaf.va);
    EXPECT_EQ(found, expected);
    EXPECT_EQ(contents.empty_tables, 0u);
    std::uint64_t tables = 0;
    for (const std::uint32_t level : table_.tables_by_level()) tables += level;
    EXPECT_EQ(tables, contents.tables.size());
    EXPECT_EQ(arena_.available(), memory_.dram().size / kPageSize - tables);
  }

  TestDram memory_{2 * kMiB};
  ArenaTableAllocator arena_{memory_.dram()};
  TableMetadata metadata_{memory_.dram()};
  Epochs epochs_;
  std::atomic<int> reading_{0};
  Table table_ = *Table::create({48, 40, kPageSize | kBlock}, metadata_, arena_);
};
using OneWriterTest = EditedTable<ArmLpaeS1Table>;
using WritersTest = EditedTable<ArmLpaeS1SharedTable>;

TEST_F(OneWriterTest, TablesComeAndGoUnderLocklessReaders) { come_and_go(1); }
// A range that repeats comes and goes, whole and with a hole, while four readers look at it.
TEST_F(OneWriterTest, RepeatedRangesComeAndGoUnderLocklessReaders) {
  constexpr GpuRange kRange = GpuRange::of_size({4 * kGiB}, 3 * kGiB);
  constexpr std::uint64_t kFrame = 64 * kMiB;
  // In two pieces, so that a table of leaves repeats as well.
  const std::array<PhysExtent, 2> extents{{{{kFrame}, kMiB}, {{kFrame + kMiB}, kMiB}}};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0}, found{0}, widened{0};
  const auto look = [&](std::uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!stop.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 32; ++i) {
        const std::uint64_t va = kRange.first.value + random() % kRange.size();
        const GpuRange page = GpuRange::of_size({align_down(va, kPageSize)}, kPageSize);
        const EpochSection section(epochs_);
        const std::optional<PhysAddr> frame = table_.iova_to_phys({va});
        found += frame.has_value();
        wrong += frame && frame->value != kFrame + va % kBlock;
        const GpuRange footprint = table_.footprint(page);
        widened += footprint != page;
        wrong += !footprint.contains(page) || !kRange.contains(footprint);
      }
      std::this_thread::yield();
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) readers.emplace_back(look, i);
  {
    EpochAllocator allocator(arena_, metadata_, epochs_);
    const auto done = [&] {
      while (allocator.waiting() != 0) {
        if (allocator.after_flush() != 0) arena_.after_flush();
        std::this_thread::yield();
      }
    };
    for (std::uint64_t round = 0; round < 200; ++round) {
      ASSERT_FALSE(
          table_.map_repeated(kRange, RepeatedFrames(extents), Prot::kNone, allocator).error);
      std::this_thread::yield();
      // Cuts the windows around it, which then have tables of their own.
      const GpuVa hole = kRange.first + round * 7919 % (kRange.size() / kPageSize) * kPageSize;
      ASSERT_EQ(table_.unmap(GpuRange::of_size(hole, kPageSize), allocator), kPageSize);
      done();
      ASSERT_EQ(table_.unmap(kRange, allocator), kRange.size() - kPageSize);
      done();
    }
  }
  if (found == 0 || widened == 0) {
    // The readers had no turn so far: the range stays until they have seen it.
    ASSERT_FALSE(table_.map_repeated(kRange, RepeatedFrames(extents), Prot::kNone, arena_).error);
    while (found == 0 || widened == 0) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);
}

TEST_F(WritersTest, TablesOfBothComeAndGo) { come_and_go(2); }

// Each writer edits one half of the same blocks; what lies between stays, to the reader's eyes at
// every moment.
TEST_F(WritersTest, BothSplitTheSameBlocks) {
  constexpr std::uint64_t kBlocks = 64;
  constexpr std::uint64_t kEdited = 64 * kPageSize;  // at each end of a block
  {
    Writer writer(*this);
    for (std::uint64_t block = 0; block < kBlocks; ++block)
      writer.map(block * kBlock, kBlock, Prot::kNone);
  }
  std::atomic<std::uint64_t> failures{0};
  std::array<std::atomic<std::uint64_t>, kWriters> at{};  // the two keep abreast
  std::vector<std::function<void()>> writers;
  for (std::uint64_t me = 0; me < kWriters; ++me) {
    writers.push_back([&, me] {
      Writer writer(*this);
      for (std::uint64_t block = 0; block < kBlocks; ++block) {
        at[me].store(block + 1);
        while (at[1 - me].load() < block + 1) std::this_thread::yield();
        const std::uint64_t first = block * kBlock + (me == 0 ? 0 : kBlock - kEdited);
        if (block % 2) {
          writer.protect(first, kEdited, Prot::kReadOnly);
        } else {
          writer.unmap(first, kEdited, kEdited);
          writer.done();
          writer.map(first, kEdited, Prot::kReadOnly);
        }
        writer.done();
      }
      failures += writer.failures();
    });
  }
  const Counts counts = with_readers(
      writers, [](std::mt19937_64& random) { return random() % (kBlocks * kBlock); },
      [](std::uint64_t va) { return va % kBlock >= kEdited && va % kBlock < kBlock - kEdited; });
  EXPECT_EQ(failures, 0u);
  EXPECT_EQ(counts.wrong, 0u);
  EXPECT_EQ(counts.lost, 0u);
  for (std::uint64_t va = 0; va < kBlocks * kBlock; va += kPageSize) {
    const std::optional<Leaf> leaf = table_.walk({va});
    ASSERT_TRUE(leaf.has_value());
    ASSERT_EQ(leaf->range.size(), kPageSize);
    const bool edited = va % kBlock < kEdited || va % kBlock >= kBlock - kEdited;
    ASSERT_EQ(leaf->prot, edited ? Prot::kReadOnly : Prot::kNone);
  }
  EXPECT_EQ(table_.tables_by_level()[3], kBlocks);
}

}  // namespace
}  // namespace pantry::driver
