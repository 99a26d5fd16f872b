// SPDX-License-Identifier: MIT
//
// DEV_QUERY TIMESTAMP_INFO: its two forms, what the flags of the newer one choose, and the order of
// its checks (panthor-uapi.md A.2, errata B.8).
#include <gtest/gtest.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "driver/kernel/each_executor.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

using Info = drm_panthor_timestamp_info;

struct Clocks {
  Clocks(driver::Executor& executor, std::uint32_t minor,
         std::optional<Duration> autosuspend_delay = driver::kAutosuspendDelay)
      : executor(executor) {
    MachineConfig config;
    config.dram_bytes = 32 * kMiB;
    config.memory = MachineConfig::Memory::kArena;
    config.uapi_minor = minor;
    config.autosuspend_delay = autosuspend_delay;
    auto made = Machine::create(executor, config);
    EXPECT_TRUE(made.has_value());
    machine = *std::move(made);
    client.emplace(*machine);
  }
  int query(void* at, std::uint32_t size) {
    drm_panthor_dev_query args{DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO, size,
                               reinterpret_cast<std::uint64_t>(at)};
    return client->raw().call(DRM_IOCTL_PANTHOR_DEV_QUERY, args);
  }
  Info info(std::uint32_t flags) {
    Info info;
    std::memset(&info, 0xff, sizeof info);
    info.flags = flags;
    EXPECT_EQ(query(&info, sizeof info), 0);
    EXPECT_EQ(info.flags, flags) << "told as it was asked";
    return info;
  }
  TimePoint now() { return executor.clock().now(); }

  driver::Executor& executor;
  std::unique_ptr<Machine> machine;
  std::optional<TestClient> client;
};

constexpr std::uint32_t kEverything =
    DRM_PANTHOR_TIMESTAMP_GPU | DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC |
    DRM_PANTHOR_TIMESTAMP_GPU_OFFSET | DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT |
    DRM_PANTHOR_TIMESTAMP_FREQ | DRM_PANTHOR_TIMESTAMP_DURATION;

// [A2.6]
TEST(Timestamp, OlderOneTellsAllAndLooksAtNothing) {
  driver::SimExecutor executor(1, 1);
  Clocks clocks(executor, 7);
  Info info;
  std::memset(&info, 0xff, sizeof info);
  ASSERT_EQ(clocks.query(&info, 24), 0);
  EXPECT_EQ(info.timestamp_frequency, 24'000'000u);
  EXPECT_NE(info.current_timestamp, 0u);
  EXPECT_EQ(info.timestamp_offset, 0u);
  EXPECT_EQ(info.flags, ~0u) << "not of this version";
  const std::uint64_t before = info.current_timestamp;
  executor.clock().sleep(seconds(1));
  ASSERT_EQ(clocks.query(&info, 16), 0);
  EXPECT_GE(info.current_timestamp, before + 24'000'000);
  EXPECT_EQ(clocks.query(&info, 15), -EINVAL);
}

// [A2.7]
TEST(Timestamp, FlagsChooseWhatIsTold) {
  driver::SimExecutor executor(1, 1);
  Clocks clocks(executor, 8);
  // Each flag, and whether its field is told then.
  const struct {
    std::uint32_t flag;
    std::uint64_t (*field)(const Info&);
  } choices[] = {
      {DRM_PANTHOR_TIMESTAMP_GPU, [](const Info& i) { return std::uint64_t{i.current_timestamp}; }},
      {DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT,
       [](const Info& i) { return std::uint64_t{i.cycle_count}; }},
      {DRM_PANTHOR_TIMESTAMP_FREQ,
       [](const Info& i) { return std::uint64_t{i.timestamp_frequency}; }},
      {DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC,
       [](const Info& i) -> std::uint64_t { return i.cpu_timestamp_sec + i.cpu_timestamp_nsec; }},
      {DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW,
       [](const Info& i) -> std::uint64_t { return i.cpu_timestamp_sec + i.cpu_timestamp_nsec; }},
  };
  executor.clock().sleep(seconds(2));
  // By now the device is suspended. A query resumes it, and its cycles count from then on.
  clocks.info(DRM_PANTHOR_TIMESTAMP_GPU);
  executor.clock().sleep(milliseconds(1));
  for (const auto& choice : choices) {
    const Info alone = clocks.info(choice.flag);
    for (const auto& other : choices) {
      const bool told = other.flag == choice.flag || other.field == choice.field ||
                        ((other.flag | choice.flag) & ~DRM_PANTHOR_TIMESTAMP_CPU_TYPE_MASK) == 0;
      EXPECT_EQ(other.field(alone) != 0, told) << choice.flag << " tells of " << other.flag;
    }
    EXPECT_EQ(alone.timestamp_offset, 0u);
    EXPECT_EQ(alone.duration_nsec, 0u);
  }
}

// [A2.8]
TEST(Timestamp, ZeroFlagsAreTheOlderForm) {
  driver::SimExecutor executor(1, 1);
  Clocks clocks(executor, 8);
  const Info info = clocks.info(0);
  EXPECT_EQ(info.timestamp_frequency, 24'000'000u);
  EXPECT_NE(info.current_timestamp, 0u);
  EXPECT_EQ(info.cycle_count, 0u);
  EXPECT_EQ(info.cpu_timestamp_sec + info.cpu_timestamp_nsec, 0u);
  // A caller that knows 24 bytes has no flags to pass.
  Info old;
  std::memset(&old, 0xff, sizeof old);
  ASSERT_EQ(clocks.query(&old, 24), 0);
  EXPECT_EQ(old.timestamp_frequency, 24'000'000u);
  EXPECT_EQ(old.flags, ~0u) << "beyond what it has";
}

TEST(Timestamp, StampsAreOfTheTimeOfTheCall) {
  driver::for_each_executor(1, [](driver::Executor& executor) {
    // Asleep, as after a pause of this thread, it would count its cycles anew.
    Clocks clocks(executor, 8, std::nullopt);
    const TimePoint before = clocks.now();
    const Info first = clocks.info(kEverything);
    const TimePoint after = clocks.now();
    const auto cpu = static_cast<std::int64_t>(first.cpu_timestamp_sec * 1'000'000'000 +
                                               first.cpu_timestamp_nsec);
    EXPECT_LT(first.cpu_timestamp_nsec, 1'000'000'000u);
    EXPECT_LE(before.ns, cpu);
    EXPECT_LE(cpu, after.ns);
    EXPECT_LE(first.duration_nsec, static_cast<std::uint64_t>((after - before).ns));
    executor.clock().sleep(milliseconds(10));
    const Info second = clocks.info(kEverything);
    // 10 ms of 24 MHz.
    EXPECT_GE(second.current_timestamp, first.current_timestamp + 240'000);
    EXPECT_GT(second.cycle_count, first.cycle_count) << "counted all the time since 1.6";
  });
}

TEST(Timestamp, RawClockIsTheRawClock) {
  driver::ThreadExecutor executor(1);
  Clocks clocks(executor, 8);
  const auto raw_now = [] {
    timespec at{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &at);
    return static_cast<std::uint64_t>(at.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(at.tv_nsec);
  };
  const std::uint64_t before = raw_now();
  const Info info = clocks.info(DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW);
  const std::uint64_t stamp = info.cpu_timestamp_sec * 1'000'000'000 + info.cpu_timestamp_nsec;
  EXPECT_LE(before, stamp);
  EXPECT_LE(stamp, raw_now());
}

// [A2.9 A2.10 A2.11]
TEST(Timestamp, ChecksInTheirOrder) {
  driver::SimExecutor executor(1, 1);
  Clocks clocks(executor, 8);
  struct {
    Info info{};
    std::uint64_t tail = 0;
  } large;
  EXPECT_EQ(clocks.query(&large, sizeof large), 0);
  large.tail = 1;
  large.info.flags = 7 << 1;
  EXPECT_EQ(clocks.query(&large, sizeof large), -E2BIG) << "before the flags";
  large.tail = 0;
  EXPECT_EQ(clocks.query(&large, sizeof large), -EINVAL);
  for (const std::uint32_t clock : {3u, 4u, 5u, 6u, 7u}) {
    large.info.flags = clock << 1;
    EXPECT_EQ(clocks.query(&large, sizeof large), -EINVAL) << "clock " << clock;
  }
  for (std::uint32_t bit = 8; bit < 32; ++bit) {
    large.info.flags = 1u << bit;
    EXPECT_EQ(clocks.query(&large, sizeof large), -EINVAL) << "bit " << bit;
  }
  large.info.flags = kEverything;
  EXPECT_EQ(clocks.query(&large, 15), -EINVAL) << "too short to be told anything";
  EXPECT_EQ(clocks.query(&large, 0), -EINVAL);
  EXPECT_EQ(clocks.query(reinterpret_cast<void*>(8), sizeof(Info)), -EFAULT);
}

}  // namespace
}  // namespace pantry::uapi
