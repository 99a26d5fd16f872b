// SPDX-License-Identifier: MIT
#include "driver/csf/heap_pool.h"

#include <gtest/gtest.h>

#include "driver/csf/csf_rig.h"
#include "gpu_emu/datasheet/tiler_heap.h"

namespace pantry::driver {
namespace {

using datasheet::tiler_heap::chunk_address;
using datasheet::tiler_heap::chunk_bytes;
using datasheet::tiler_heap::chunk_word;

constexpr std::uint32_t kStride = 64;
constexpr std::uint32_t kChunk = 256 * kKiB;
constexpr HeapPool::Args kArgs{
    .initial_chunks = 3, .chunk_bytes = kChunk, .max_chunks = 5, .target_in_flight = 4};
constexpr HeapPool::Passes kOnePass{.begun = 1, .tiled = 0, .rendered = 0};

// A VM with a pool, destroyed at the end as a file does.
class PoolRig {
 public:
  explicit PoolRig(CsfRig& rig)
      : rig_(rig), vm_(rig.new_vm()), pool_(HeapPool::of(*vm_, kStride).value()) {}
  ~PoolRig() {
    pool_ = nullptr;
    vm_->destroy();
  }
  Vm& vm() { return *vm_; }
  HeapPool& pool() { return *pool_; }
  HeapPool::Created create(const HeapPool::Args& args) {
    return pool_->create(args, first_).value();
  }
  GpuVa first() const { return first_; }
  std::uint64_t word_at(GpuVa va) {
    const auto translation = vm_->translate(va);
    EXPECT_TRUE(translation.has_value());
    std::uint64_t word = 0;
    std::memcpy(&word, rig_.dram.host + (translation->frame.value - rig_.dram.base.value), 8);
    return word;
  }

 private:
  CsfRig& rig_;
  Ref<Vm> vm_;
  Ref<HeapPool> pool_;
  GpuVa first_;
};

TEST(HeapPool, StrideIsALineOfTheL2) {
  EXPECT_EQ(HeapPool::context_stride(0x0712'0306), 64u);
  EXPECT_EQ(HeapPool::context_stride(0x0712'0304), 32u);
  EXPECT_EQ(HeapPool::context_stride(0x0712'0307), 128u);
}

TEST(HeapPool, ContextsLieAStrideApartAndIdsAreReused) {
  for_each_rig([](CsfRig& rig) {
    PoolRig heaps(rig);
    const auto a = heaps.create(kArgs);
    const auto b = heaps.create(kArgs);
    EXPECT_EQ(a.id, 0u);
    EXPECT_EQ(b.id, 1u);
    EXPECT_EQ(b.context.value - a.context.value, kStride);
    EXPECT_GE(a.context.value, heaps.vm().split().kernel.first.value);
    EXPECT_TRUE(heaps.pool().destroy(0).has_value());
    EXPECT_EQ(heaps.pool().destroy(0).error(), Errno::kInval);
    const auto again = heaps.create(kArgs);
    EXPECT_EQ(again.id, 0u);
    EXPECT_EQ(again.context, a.context);
    EXPECT_EQ(HeapPool::of(heaps.vm(), kStride).value().get(), &heaps.pool());
  });
}

TEST(HeapPool, ChunksAreChainedFromTheNewestToTheOldest) {
  for_each_rig([](CsfRig& rig) {
    PoolRig heaps(rig);
    heaps.create(kArgs);
    GpuVa chunk = heaps.first();
    for (std::uint32_t left = kArgs.initial_chunks - 1; left != 0; --left) {
      const std::uint64_t next = heaps.word_at(chunk);
      EXPECT_EQ(chunk_bytes(next), kChunk);
      EXPECT_EQ(heaps.vm().translate(chunk)->prot, Prot::kNoExec);
      chunk = chunk_address(next);
    }
    EXPECT_EQ(heaps.word_at(chunk), 0u);
  });
}

TEST(HeapPool, RefusesWhatPanthorRefuses) {
  for_each_rig([](CsfRig& rig) {
    PoolRig heaps(rig);
    GpuVa first;
    const auto error = [&](std::uint32_t initial, std::uint32_t bytes, std::uint32_t max) {
      return heaps.pool().create({initial, bytes, max, 1}, first).error();
    };
    EXPECT_EQ(error(0, kChunk, 1), Errno::kInval);
    EXPECT_EQ(error(2, kChunk, 1), Errno::kInval);
    EXPECT_EQ(error(1, 128 * kKiB - kPageSize, 1), Errno::kInval);
    EXPECT_EQ(error(1, 8 * kMiB + kPageSize, 1), Errno::kInval);
    EXPECT_EQ(error(1, kChunk + 64, 1), Errno::kInval);
    EXPECT_TRUE(heaps.pool().create({1, 132 * kKiB, 1, 1}, first).has_value());
    EXPECT_EQ(heaps.pool().totals().chunks, 1u);
  });
}

TEST(HeapPool, HoldsAtMost128Heaps) {
  for_each_rig([](CsfRig& rig) {
    PoolRig heaps(rig);
    constexpr HeapPool::Args kSmall{1, 128 * kKiB, 1, 1};
    for (std::uint32_t id = 0; id < HeapPool::kHeaps; ++id) EXPECT_EQ(heaps.create(kSmall).id, id);
    const BufferStore::Totals before = rig.buffers.totals();
    GpuVa first{1};
    EXPECT_EQ(heaps.pool().create(kSmall, first).error(), Errno::kBusy);
    EXPECT_NE(first, GpuVa{1}) << "written before the id is looked for";
    EXPECT_EQ(rig.buffers.totals(), before);
  });
}

TEST(HeapPool, GrowsToItsLimit) {
  for_each_rig([](CsfRig& rig) {
    PoolRig heaps(rig);
    const auto heap = heaps.create(kArgs);
    for (std::uint32_t i = kArgs.initial_chunks; i < kArgs.max_chunks; ++i) {
      const std::uint64_t word = heaps.pool().grow(heap.context, kOnePass).value();
      EXPECT_EQ(chunk_bytes(word), kChunk);
      EXPECT_EQ(heaps.word_at(chunk_address(word)), 0u) << "chained to nothing";
    }
    EXPECT_EQ(heaps.pool().grow(heap.context, kOnePass).error(), Errno::kNoMem);
    EXPECT_EQ(heaps.pool().totals().bytes, std::uint64_t{kArgs.max_chunks} * kChunk);
  });
}

TEST(HeapPool, AChunkGivenBackCanBeHadAgain) {
  for_each_rig([](CsfRig& rig) {
    PoolRig heaps(rig);
    const auto heap = heaps.create({4, kChunk, 5, 1});
    const std::uint64_t word = heaps.pool().grow(heap.context, kOnePass).value();
    EXPECT_TRUE(heaps.vm().translate(chunk_address(word)).has_value());
    heaps.pool().give_back(heap.context, word);
    EXPECT_FALSE(heaps.vm().translate(chunk_address(word)).has_value());
    EXPECT_EQ(heaps.pool().totals().chunks, 4u);
    EXPECT_TRUE(heaps.pool().grow(heap.context, kOnePass).has_value());
  });
}

TEST(HeapPool, GrowsOnlyForCountsThatMakeSense) {
  for_each_rig([](CsfRig& rig) {
    PoolRig heaps(rig);
    const auto heap = heaps.create(kArgs);
    const auto error = [&](GpuVa context, HeapPool::Passes passes) {
      return heaps.pool().grow(context, passes).error();
    };
    EXPECT_EQ(error(heap.context, {.begun = 1, .tiled = 1, .rendered = 0}), Errno::kInval);
    EXPECT_EQ(error(heap.context, {.begun = 3, .tiled = 1, .rendered = 2}), Errno::kInval);
    EXPECT_EQ(error(heap.context, {.begun = 5, .tiled = 1, .rendered = 0}), Errno::kNoMem)
        << "five in flight, four wanted";
    EXPECT_EQ(error(heap.context + kStride, kOnePass), Errno::kInval);
    EXPECT_EQ(error({heap.context.value - kStride}, kOnePass), Errno::kInval);
    EXPECT_EQ(error({0}, kOnePass), Errno::kInval);
    EXPECT_TRUE(
        heaps.pool().grow(heap.context, {.begun = 4, .tiled = 0, .rendered = 0}).has_value());
    // As Linux takes it: anywhere in the record.
    EXPECT_TRUE(heaps.pool().grow(heap.context + 8, kOnePass).has_value());
    EXPECT_EQ(heaps.pool().totals().chunks, kArgs.max_chunks);
  });
}

TEST(HeapPool, EndsWithTheVm) {
  for_each_rig([](CsfRig& rig) {
    const Ref<Vm> vm = rig.new_vm();
    const BufferStore::Totals before = rig.buffers.totals();
    const Ref<HeapPool> pool = HeapPool::of(*vm, kStride).value();
    GpuVa first;
    const auto heap = pool->create(kArgs, first).value();
    vm->destroy();
    EXPECT_EQ(rig.buffers.totals(), before);
    EXPECT_FALSE(HeapPool::find(*vm));
    EXPECT_EQ(HeapPool::of(*vm, kStride).error(), Errno::kInval);
    EXPECT_EQ(pool->grow(heap.context, kOnePass).error(), Errno::kInval);
    EXPECT_EQ(pool->create(kArgs, first).error(), Errno::kInval);
  });
}

}  // namespace
}  // namespace pantry::driver
