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

#include "base/log.h"
#include "base/sanitizer.h"

namespace pantry::driver {
namespace {

constexpr PhysAddr kBase{0x8000'0000};

class WindowBackingTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kSize = 4 * kMiB;
  WindowBackingTest()
      : dram_{kBase, kSize,
              static_cast<std::uint8_t*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))},
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
  const std::vector<PhysExtent> frames{{kBase + 2 * kMiB, 64 * kKiB},
                                       {kBase + 64 * kKiB, 64 * kKiB}};
  std::memset(at(0), 0xaa, kSize);
  OwnedFd fd = *backing_.place(frames, 128 * kKiB);
  auto* client = static_cast<std::uint8_t*>(
      mmap(nullptr, 128 * kKiB, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
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
  EXPECT_EQ(client[5], 1)
      << "the client keeps its bytes, and nothing of them is reachable from the window";
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
  set_log_level(
      LogLevel::kOff);  // what checks the log's objects for undefined behaviour needs descriptors
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

// The kernel limits the mappings of a process: uses up all of them but `room`.
class FewMappings {
 public:
  explicit FewMappings(std::size_t room)
      : pages_(
            static_cast<std::uint8_t*>(mmap(nullptr, kMany * kPageSize, PROT_READ,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    // Every other page without access, so that they cannot merge.
    std::size_t made = 0;
    while (made < kMany / 2 && mprotect(odd_page(made), kPageSize, PROT_NONE) == 0) ++made;
    reached_ = made < kMany / 2;
    // Each page that becomes like its neighbours gives two mappings back.
    while (reached_ && room >= 2 && mprotect(odd_page(--made), kPageSize, PROT_READ) == 0)
      room -= 2;
  }
  ~FewMappings() { munmap(pages_, kMany * kPageSize); }
  // False: this host allows more mappings than that.
  bool reached() const { return reached_; }

 private:
  static constexpr std::size_t kMany = 200'000;
  std::uint8_t* odd_page(std::size_t i) const { return pages_ + (2 * i + 1) * kPageSize; }
  std::uint8_t* const pages_;
  bool reached_ = false;
};

// A placement that meets the limit half-way leaves nothing behind, and one that just about reached
// it can be withdrawn.
TEST_F(WindowBackingTest, TheLimitOfMappingsIsNoMem) {
#if PANTRY_THREAD_SANITIZER || PANTRY_ADDRESS_SANITIZER
  GTEST_SKIP() << "a sanitizer's runtime cannot go on without mappings";
#endif
  set_log_level(LogLevel::kOff);
  for (std::size_t room = 0; room < 12; room += 2) {
    SCOPED_TRACE(room);
    std::memset(at(0), 0xaa, kSize);
    std::vector<PhysExtent> frames;
    for (std::uint64_t i = 0; i < 16; ++i) frames.push_back({kBase + i * 128 * kKiB, 64 * kKiB});
    const int descriptors = open_descriptors();
    bool refused = false;
    Errno error{};
    int descriptors_after = 0;
    std::size_t placed = 0;
    {
      FewMappings few(room);
      if (!few.reached()) GTEST_SKIP() << "this host allows more mappings than the test makes";
      {
        const auto result = backing_.place(frames, 16 * 64 * kKiB);
        refused = !result;
        if (refused) error = result.error();
      }
      descriptors_after = open_descriptors();
      // As many pieces as do fit, then back; twice, since nothing may be left behind.
      for (int round = 0; round < 2; ++round) {
        for (std::size_t count = 16; count > 0; --count) {
          const auto pieces = std::span(frames).first(count);
          const auto result = backing_.place(pieces, count * 64 * kKiB);
          if (!result) continue;
          if (round == 0) placed = count;
          backing_.withdraw(pieces);
          refused &= count == placed;
          break;
        }
      }
    }
    EXPECT_TRUE(refused);
    EXPECT_EQ(error, Errno::kNoMem);
    EXPECT_EQ(descriptors_after, descriptors);
    EXPECT_TRUE(room < 6 || placed > 0);
    // The whole window is still memory.
    for (std::uint64_t offset = 0; offset < kSize; offset += kPageSize) at(offset)[0] = 1;
  }
  set_log_level(LogLevel::kGap);
}

}  // namespace
}  // namespace pantry::driver
