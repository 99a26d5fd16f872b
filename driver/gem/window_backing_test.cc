// SPDX-License-Identifier: MIT
#include "driver/gem/window_backing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

namespace pantry::driver {
namespace {

constexpr PhysAddr kBase{0x8000'0000};

class WindowBackingTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kSize = 4 * kMiB;
  WindowBackingTest()
      : dram_{kBase, kSize,
              static_cast<std::uint8_t*>(
                  mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))},
        backing_(dram_) {}
  ~WindowBackingTest() override { munmap(dram_.host, kSize); }

  std::uint8_t* at(std::uint64_t offset) { return dram_.host + offset; }
  static int open_descriptors() {
    int count = 0;
    for (int fd = 0; fd < 256; ++fd) count += fcntl(fd, F_GETFD) != -1;
    return count;
  }

  emu::Dram dram_;
  WindowBacking backing_;
};

TEST_F(WindowBackingTest, DeviceAndClientSeeTheSameBytesInFrameOrder) {
  // The buffer's second piece lies below its first one.
  const std::vector<PhysExtent> frames{{kBase + 2 * kMiB, 64 * kKiB}, {kBase + 64 * kKiB, 64 * kKiB}};
  std::memset(at(0), 0xaa, kSize);
  OwnedFd fd = *backing_.place(frames, 128 * kKiB);
  auto* client =
      static_cast<std::uint8_t*>(mmap(nullptr, 128 * kKiB, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  ASSERT_NE(client, MAP_FAILED);
  for (std::uint64_t i = 0; i < 128 * kKiB; ++i) ASSERT_EQ(client[i], 0) << "zeroed";
  client[5] = 1;
  client[64 * kKiB + 6] = 2;
  EXPECT_EQ(at(2 * kMiB)[5], 1);
  EXPECT_EQ(at(64 * kKiB)[6], 2);
  at(64 * kKiB)[7] = 3;
  EXPECT_EQ(client[64 * kKiB + 7], 3);
  EXPECT_EQ(at(64 * kKiB - 1)[0], 0xaa) << "neighbours are left alone";
  EXPECT_EQ(at(128 * kKiB)[0], 0xaa);

  backing_.withdraw(frames);
  EXPECT_EQ(at(2 * kMiB)[5], 0);
  at(2 * kMiB)[5] = 9;
  EXPECT_EQ(client[5], 1) << "the client keeps its bytes, and nothing of them is reachable from the window";
  munmap(client, 128 * kKiB);
}

TEST_F(WindowBackingTest, NobodyCanResizeABuffer) {
  const std::vector<PhysExtent> frames{{kBase, 64 * kKiB}};
  OwnedFd fd = *backing_.place(frames, 64 * kKiB);
  EXPECT_EQ(fcntl(fd.get(), F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  EXPECT_EQ(ftruncate(fd.get(), 0), -1);
  EXPECT_EQ(ftruncate(fd.get(), 1 * kMiB), -1);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_END), static_cast<off_t>(64 * kKiB));
  backing_.withdraw(frames);
}

TEST_F(WindowBackingTest, ADescriptorRefusedIsNoMem) {
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit none{0, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::vector<PhysExtent> frames{{kBase, 64 * kKiB}};
  const auto result = backing_.place(frames, 64 * kKiB);
  setrlimit(RLIMIT_NOFILE, &old);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), Errno::kNoMem);
}

// The kernel limits the mappings of a process. A placement that meets the limit half-way leaves nothing behind.
TEST_F(WindowBackingTest, AMappingRefusedHalfWayIsUndone) {
  // Use up the limit with pages that cannot merge: every other one without access.
  constexpr std::size_t kMany = 200'000;
  auto* const filler = static_cast<std::uint8_t*>(
      mmap(nullptr, kMany * kPageSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  ASSERT_NE(filler, MAP_FAILED);
  std::size_t splits = 0;
  while (splits * 2 + 1 < kMany && mprotect(filler + (splits * 2 + 1) * kPageSize, kPageSize, PROT_NONE) == 0) ++splits;
  if (splits * 2 + 1 >= kMany) {
    munmap(filler, kMany * kPageSize);
    GTEST_SKIP() << "this host allows more mappings than the test makes";
  }
  // Room for two pieces or so (joining three mappings gives two back).
  constexpr std::size_t kRoom = 3;
  for (std::size_t i = 0; i < kRoom; ++i)
    ASSERT_EQ(mprotect(filler + ((splits - 1 - i) * 2 + 1) * kPageSize, kPageSize, PROT_READ), 0);

  std::memset(at(0), 0xaa, kSize);
  std::vector<PhysExtent> frames;
  for (std::uint64_t i = 0; i < 16; ++i) frames.push_back({kBase + i * 128 * kKiB, 64 * kKiB});
  const int descriptors = open_descriptors();
  const auto refused = backing_.place(frames, 16 * 64 * kKiB);
  const int descriptors_after = open_descriptors();
  // Two pieces fit now if nothing of the sixteen was left behind.
  const auto small = backing_.place(std::span(frames).first(2), 2 * 64 * kKiB);
  munmap(filler, kMany * kPageSize);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errno::kNoMem);
  EXPECT_EQ(descriptors_after, descriptors);
  EXPECT_TRUE(small);
  // The whole window is still memory.
  for (std::uint64_t offset = 0; offset < kSize; offset += kPageSize) at(offset)[0] = 1;
  if (small) backing_.withdraw(std::span(frames).first(2));
}

}  // namespace
}  // namespace pantry::driver
