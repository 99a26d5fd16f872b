// SPDX-License-Identifier: MIT
#include "driver/gem/buffer_store.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string_view>
#include <thread>
#include <vector>

#include "driver/gem/arena_backing.h"
#include "driver/gem/window_backing.h"

namespace pantry::driver {
namespace {

constexpr PhysAddr kBase{0x4000'0000};
constexpr std::uint64_t kDramBytes = 64 * kMiB;

class Memory {
 public:
  Memory()
      : dram{kBase, kDramBytes,
             static_cast<std::uint8_t*>(mmap(nullptr, kDramBytes, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))} {
  }
  ~Memory() { munmap(dram.host, kDramBytes); }
  emu::Dram dram;
};

template <class BackingType, FrameAllocator::Placement kPlacement>
struct Setting {
  Memory memory;
  FrameAllocator frames{{kBase, kDramBytes}, {kPlacement, 7, nullptr}};
  BackingType backing{memory.dram};
  BufferStore store{frames, memory.dram, backing};
};
using Window = Setting<WindowBacking, FrameAllocator::Placement::kCompact>;
using Arena = Setting<ArenaBacking, FrameAllocator::Placement::kCompact>;
using ScatteredArena = Setting<ArenaBacking, FrameAllocator::Placement::kScatter>;

template <class T>
class BufferStoreTest : public testing::Test, protected T {
 protected:
  std::uint64_t used() const { return this->frames.statistics().used; }
};
using Settings = testing::Types<Window, Arena, ScatteredArena>;
TYPED_TEST_SUITE(BufferStoreTest, Settings);

TYPED_TEST(BufferStoreTest, SizesAreRoundedToPagesAndContentIsZero) {
  Ref<Buffer> dirty = *this->store.create(1 * kMiB, 0, nullptr);
  const std::vector<std::uint8_t> ones(1 * kMiB, 1);
  ASSERT_TRUE(dirty->write(0, ones.data(), ones.size()));
  dirty = nullptr;

  Ref<Buffer> buffer = *this->store.create(1 * kMiB - 5, 3, nullptr);
  EXPECT_EQ(buffer->size(), 1 * kMiB);
  EXPECT_EQ(buffer->create_flags(), 3u);
  EXPECT_FALSE(buffer->exclusive());
  EXPECT_TRUE(buffer->reservation());
  std::vector<std::uint8_t> content(1 * kMiB, 7);
  ASSERT_TRUE(buffer->read(0, content.data(), content.size()));
  EXPECT_EQ(std::ranges::count(content, 0), static_cast<std::ptrdiff_t>(content.size()));
  std::uint64_t total = 0;
  for (const PhysExtent& extent : buffer->frames()) total += extent.size;
  EXPECT_EQ(total, buffer->size());
}

TYPED_TEST(BufferStoreTest, ImpossibleSizesHaveTheKernelsErrno) {
  const auto error = [&](std::uint64_t size) {
    return this->store.create(size, 0, nullptr).error();
  };
  EXPECT_EQ(error(UINT64_MAX), Errno::kNoSpc) << "rounds up to 0";
  EXPECT_EQ(error(UINT64_MAX - 4094), Errno::kNoSpc);
  EXPECT_EQ(error(UINT64_MAX - 4095), Errno::kInval);
  EXPECT_EQ(error(std::uint64_t{1} << 63), Errno::kInval);
  EXPECT_EQ(error((std::uint64_t{1} << 63) - 1), Errno::kInval) << "rounds up to 2^63";
  EXPECT_EQ(error((std::uint64_t{1} << 63) - 4096), Errno::kNoSpc);
  EXPECT_EQ(error(2048 * kGiB), Errno::kNoSpc) << "above the space of mmap offsets";
  EXPECT_EQ(error(512 * kGiB), Errno::kNoMem);
  EXPECT_EQ(error(kDramBytes + 1), Errno::kNoMem);
  EXPECT_EQ(this->store.totals(), BufferStore::Totals{});
  EXPECT_EQ(this->used(), 0u);
  // The offsets that failed attempts took came back.
  EXPECT_EQ((*this->store.create(1, 0, nullptr))->mmap_offset(), 4 * kGiB + kPageSize);
}

TYPED_TEST(BufferStoreTest, PrivateBuffersShareTheReservationOfTheirVm) {
  Ref<Reservation> vm = make_ref<Reservation>();
  Ref<Buffer> buffer = *this->store.create(kPageSize, 0, vm);
  EXPECT_TRUE(buffer->exclusive());
  EXPECT_EQ(buffer->reservation(), vm);
}

TYPED_TEST(BufferStoreTest, KernelBuffersAreContiguousZeroedAndWithoutDescriptor) {
  this->store.create(8 * kMiB, 0, nullptr).value()->write(0, "x", 1);
  Ref<Buffer> kernel = *this->store.create_kernel(3 * kMiB + 1);
  EXPECT_EQ(kernel->size(), 3 * kMiB + kPageSize);
  EXPECT_EQ(kernel->frames().size(), 1u);
  EXPECT_EQ(kernel->memfd(), -1);
  auto* const bytes = static_cast<std::uint8_t*>(kernel->cpu(0, kernel->size()));
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(std::count(bytes, bytes + kernel->size(), 0),
            static_cast<std::ptrdiff_t>(kernel->size()));
  std::memset(bytes, 0xff, kernel->size());
  const PhysExtent where = kernel->frames()[0];
  kernel = nullptr;
  Ref<Buffer> again = *this->store.create_kernel(3 * kMiB + 1);
  EXPECT_EQ(again->frames()[0], where) << "the same frames, so the next check says something";
  EXPECT_EQ(*static_cast<std::uint8_t*>(again->cpu(kMiB, 1)), 0);
}

TYPED_TEST(BufferStoreTest, OffsetsStartAboveFourGiBAndAreConsumedByKernelBuffersToo) {
  Ref<Buffer> kernel = *this->store.create_kernel(2 * kPageSize);
  Ref<Buffer> user = *this->store.create(kPageSize, 0, nullptr);
  EXPECT_EQ(kernel->mmap_offset(), 0x1'0000'1000u);
  EXPECT_EQ(user->mmap_offset(), 0x1'0000'3000u);
  EXPECT_EQ(this->store.find_by_mmap_offset(user->mmap_offset()), user);
  EXPECT_FALSE(this->store.find_by_mmap_offset(user->mmap_offset() + kPageSize));
  EXPECT_FALSE(this->store.find_by_mmap_offset(0));
  const std::uint64_t offset = user->mmap_offset();
  user = nullptr;
  EXPECT_FALSE(this->store.find_by_mmap_offset(offset));
}

TYPED_TEST(BufferStoreTest, AllocationFailureAtEachSiteLeavesNothing) {
  Ref<Reservation> vm = make_ref<Reservation>();
  for (const int what : {0, 1, 2}) {
    std::uint64_t sites = 0;
    for (std::uint64_t n = 1;; ++n) {
      this->frames.faults().fail_nth(n);
      auto buffer = what == 0   ? this->store.create(256 * kKiB, 0, nullptr)
                    : what == 1 ? this->store.create(256 * kKiB, 0, vm)
                                : this->store.create_kernel(256 * kKiB);
      if (!this->frames.faults().fired()) {
        ASSERT_TRUE(buffer);
        break;
      }
      ++sites;
      ASSERT_FALSE(buffer);
      EXPECT_EQ(buffer.error(), Errno::kNoMem);
      EXPECT_EQ(this->store.totals(), BufferStore::Totals{});
      EXPECT_EQ(this->used(), 0u);
    }
    this->frames.faults().fail_nth(0);
    EXPECT_GE(sites, 4u);
    EXPECT_EQ(this->used(), 0u);
    EXPECT_EQ((*this->store.create_kernel(1))->mmap_offset(), 0x1'0000'1000u) << "no offset leaked";
  }
}

TYPED_TEST(BufferStoreTest, CpuIsForContiguousPiecesOnly) {
  Ref<Buffer> buffer = *this->store.create(512 * kKiB, 0, nullptr);
  EXPECT_EQ(buffer->cpu(512 * kKiB, 1), nullptr);
  EXPECT_EQ(buffer->cpu(1, UINT64_MAX), nullptr);
  EXPECT_EQ(buffer->cpu(UINT64_MAX, 2), nullptr);
  EXPECT_FALSE(buffer->write(512 * kKiB - 1, "ab", 2));
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < buffer->frames().size(); ++i) {
    const PhysExtent extent = buffer->frames()[i];
    EXPECT_EQ(buffer->cpu(offset, extent.size), this->memory.dram.at(extent.start, extent.size));
    const bool joined = i + 1 == buffer->frames().size() ||
                        buffer->frames()[i + 1].start == extent.start + extent.size;
    if (!joined) {
      EXPECT_EQ(buffer->cpu(offset, extent.size + 1), nullptr);
    }
    offset += extent.size;
  }
}

// Any bytes written at any place are read back there, and nowhere else.
TYPED_TEST(BufferStoreTest, ReadAndWriteCrossFrames) {
  Ref<Buffer> buffer = *this->store.create(256 * kKiB, 0, nullptr);
  std::vector<std::uint8_t> model(buffer->size());
  EXPECT_TRUE(rc::check([&] {
    const auto offset = *rc::gen::inRange<std::uint64_t>(0, buffer->size());
    const auto bytes =
        *rc::gen::inRange<std::uint64_t>(0, std::min(buffer->size() - offset, 3 * kPageSize) + 1);
    const auto seed = *rc::gen::arbitrary<std::uint8_t>();
    std::vector<std::uint8_t> data(bytes);
    for (std::uint64_t i = 0; i < bytes; ++i) data[i] = static_cast<std::uint8_t>(seed + i * 7);
    RC_ASSERT(buffer->write(offset, data.data(), bytes));
    std::ranges::copy(data, model.begin() + static_cast<std::ptrdiff_t>(offset));
    std::vector<std::uint8_t> content(buffer->size());
    RC_ASSERT(buffer->read(0, content.data(), content.size()));
    RC_ASSERT(content == model);
  }));
}

// Many buffers live at once never share a byte, and all of memory comes back.
TYPED_TEST(BufferStoreTest, BuffersAreDisjoint) {
  EXPECT_TRUE(rc::check([&] {
    std::map<std::uint64_t, Ref<Buffer>> buffers;
    const auto steps = *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange(0u, 4000u));
    std::uint64_t next = 1;
    for (const std::uint32_t step : steps) {
      if (step % 3 == 0 && !buffers.empty()) {
        buffers.erase(std::next(buffers.begin(), step % buffers.size()));
        continue;
      }
      auto buffer = step % 3 == 1 ? this->store.create(step * 100 + 1, 0, nullptr)
                                  : this->store.create_kernel(step + 1);
      if (!buffer) continue;
      // Its number in each page.
      for (std::uint64_t page = 0; page < (*buffer)->size(); page += kPageSize)
        (*buffer)->write(page, &next, 8);
      buffers.emplace(next++, std::move(*buffer));
    }
    for (const auto& [number, buffer] : buffers) {
      for (std::uint64_t page = 0; page < buffer->size(); page += kPageSize) {
        std::uint64_t found = 0;
        RC_ASSERT(buffer->read(page, &found, 8));
        RC_ASSERT(found == number);
      }
    }
    buffers.clear();
    RC_ASSERT(this->used() == 0u);
    RC_ASSERT(this->store.totals() == BufferStore::Totals{});
  }));
}

// A look-up never yields a buffer whose last reference is gone.
TYPED_TEST(BufferStoreTest, LookUpsRaceWithTheLastReference) {
  for (int round = 0; round < 200; ++round) {
    Ref<Buffer> buffer = *this->store.create(kPageSize, 0, nullptr);
    const std::uint64_t offset = buffer->mmap_offset();
    std::thread finder([&] {
      for (int i = 0; i < 20; ++i) {
        if (const Ref<Buffer> found = this->store.find_by_mmap_offset(offset)) {
          std::uint8_t byte = 1;
          EXPECT_TRUE(found->read(0, &byte, 1));
          EXPECT_EQ(byte, 0);
        }
      }
    });
    buffer = nullptr;
    finder.join();
    EXPECT_EQ(this->store.totals().buffers, 0u);
  }
}

class WindowStoreTest : public testing::Test, protected Window {};

TEST_F(WindowStoreTest, PiecesAreLargeWhereTheSizeAllows) {
  // Fragment memory: every second 4 KiB buffer stays.
  std::vector<Ref<Buffer>> small;
  for (int i = 0; i < 2000; ++i) small.push_back(*store.create(kPageSize, 0, nullptr));
  for (std::size_t i = 0; i < small.size(); i += 2) small[i] = nullptr;
  Ref<Buffer> large = *store.create(5 * kMiB + 3 * kPageSize, 0, nullptr);
  for (const PhysExtent& extent : large->frames().first(large->frames().size() - 1))
    EXPECT_GE(extent.size, 64 * kKiB);
}

// What an eviction does to a buffer, whoever asks for it.
TYPED_TEST(BufferStoreTest, ContentIsKeptWithoutFrames) {
  constexpr std::uint64_t kSize = 300 * kKiB;
  const std::uint64_t before = this->used();
  this->store.set_swap(kMiB);
  const Ref<Buffer> buffer = *this->store.create(kSize, 0, nullptr);
  std::vector<std::uint8_t> content(kSize);
  for (std::size_t i = 0; i < kSize; ++i) content[i] = static_cast<std::uint8_t>(i * 7 >> 3);
  ASSERT_TRUE(buffer->write(0, content.data(), kSize));
  const auto expect_content = [&] {
    std::vector<std::uint8_t> found(kSize);
    ASSERT_TRUE(buffer->read(0, found.data(), kSize));
    EXPECT_EQ(found, content);
  };
  {
    const BufferPin pin = *buffer->pin();
    EXPECT_FALSE(buffer->begin_eviction()) << "somebody relies on the frames";
  }
  ASSERT_TRUE(buffer->begin_eviction());
  EXPECT_FALSE(buffer->begin_eviction());
  buffer->cancel_eviction();
  expect_content();
  ASSERT_TRUE(buffer->begin_eviction());
  ASSERT_TRUE(buffer->finish_eviction());
  EXPECT_EQ(this->used(), before);
  EXPECT_TRUE(buffer->frames().empty());
  EXPECT_EQ(this->store.totals().evicted_bytes, kSize);
  expect_content();
  ASSERT_TRUE(buffer->write(5 * kPageSize, "changed", 7));
  std::copy_n("changed", 7, content.begin() + 5 * kPageSize);
  expect_content();

  // Others have had the frames, and left something in them.
  {
    const Ref<Buffer> other = *this->store.create(kSize, 0, nullptr);
    const std::vector<std::uint8_t> ones(kSize, 1);
    ASSERT_TRUE(other->write(0, ones.data(), kSize));
    const BufferPin pin = *buffer->pin();
    expect_content();
  }
  expect_content();
  EXPECT_EQ(this->store.totals().evicted_bytes, 0u);
}

TYPED_TEST(BufferStoreTest, SwapThatIsFullLeavesABufferWhereItIs) {
  this->store.set_swap(kPageSize);
  const Ref<Buffer> buffer = *this->store.create(2 * kPageSize, 0, nullptr);
  ASSERT_TRUE(buffer->write(0, "here", 4));
  ASSERT_TRUE(buffer->begin_eviction());
  EXPECT_EQ(buffer->finish_eviction().error(), Errno::kNoMem);
  EXPECT_TRUE(buffer->resident());
  EXPECT_EQ(this->store.totals().evicted_bytes, 0u);
  char found[4];
  ASSERT_TRUE(buffer->read(0, found, 4));
  EXPECT_EQ(std::string_view(found, 4), "here");
}

// Threads pin and evict at once: who has a pin has all the frames, and what it writes there stays.
TYPED_TEST(BufferStoreTest, WhoHasAPinHasTheFrames) {
  constexpr std::uint64_t kEvictions = 8;
  this->store.set_swap(kMiB);
  const Ref<Buffer> buffer = *this->store.create(2 * kPageSize, 0, nullptr);
  std::array<std::uint64_t, 2> rounds{};
  std::vector<std::thread> users;
  for (std::uint64_t i = 0; i < rounds.size(); ++i)
    users.emplace_back([&, i] {
      while (buffer->evictions() < kEvictions) {
        const FramePin pin = *buffer->pin_frames();
        auto* const count =
            static_cast<std::uint64_t*>(buffer->cpu(i * kPageSize, sizeof(std::uint64_t)));
        if (!count) {
          ADD_FAILURE() << "no frames";
          return;
        }
        *count = ++rounds[i];
      }
    });
  while (buffer->evictions() < kEvictions) {
    if (buffer->begin_eviction()) {
      EXPECT_TRUE(buffer->finish_eviction());
    } else {
      std::this_thread::yield();
    }
  }
  for (std::thread& user : users) user.join();
  for (std::uint64_t i = 0; i < rounds.size(); ++i) {
    std::uint64_t count = 0;
    ASSERT_TRUE(buffer->read(i * kPageSize, &count, sizeof count));
    EXPECT_EQ(count, rounds[i]);
  }
  {
    const FramePin back = *buffer->pin_frames();
    EXPECT_FALSE(buffer->begin_eviction());
  }
  ASSERT_TRUE(buffer->begin_eviction()) << "every pin is gone";
  buffer->cancel_eviction();
}

TEST(WindowEviction, AClientsMappingShowsTheContentThroughout) {
  Window window;
  window.store.set_swap(kMiB);
  const Ref<Buffer> buffer = *window.store.create(kPageSize, 0, nullptr);
  auto* const mapped = static_cast<volatile char*>(
      mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->memfd(), 0));
  ASSERT_NE(mapped, MAP_FAILED);
  ASSERT_TRUE(buffer->write(0, "a", 1));
  ASSERT_TRUE(buffer->begin_eviction());
  ASSERT_TRUE(buffer->finish_eviction());
  EXPECT_EQ(mapped[0], 'a');
  mapped[1] = 'b';
  const BufferPin pin = *buffer->pin();
  EXPECT_EQ(static_cast<const char*>(buffer->cpu(0, kPageSize))[1], 'b');
  mapped[2] = 'c';
  EXPECT_EQ(static_cast<const char*>(buffer->cpu(0, kPageSize))[2], 'c');
  munmap(const_cast<char*>(mapped), kPageSize);
}

}  // namespace
}  // namespace pantry::driver
