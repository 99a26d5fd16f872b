// SPDX-License-Identifier: MIT
//
// Eviction as a client meets it: his buffer gives its memory up and nothing that he sees differs,
// but for its resident size.
#include <drm/panthor_drm.h>
#include <gtest/gtest.h>

#include "driver/kernel/each_executor.h"
#include "driver/sync/test_fence.h"
#include "driver/vm/shrinker.h"
#include "uapi/fdinfo.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

constexpr std::uint64_t kCodeVa = 0x100'0000;
constexpr std::uint64_t kVa = 0x200'0000;
constexpr std::uint64_t kSize = 1 * kMiB;
constexpr std::uint64_t kCopied = 0x800;  // in the page of code

struct EvictionTest {
  explicit EvictionTest(driver::Executor& on) : executor(on) {
    MachineConfig config;
    config.dram_bytes = 32 * kMiB;
    config.memory = MachineConfig::Memory::kArena;
    config.swap_bytes = 16 * kMiB;
    auto made = Machine::create(executor, config);
    EXPECT_TRUE(made.has_value());
    machine = *std::move(made);
  }
  // The bytes of the buffers that went; spare table pages go as well.
  std::uint64_t evict_all() {
    driver::Shrinker& shrinker = machine->device().shrinker();
    const std::uint64_t before = shrinker.counters().evicted_bytes;
    shrinker.shrink(1 << 20);
    return shrinker.counters().evicted_bytes - before;
  }
  static bool says(TestClient& client, const std::string& line) {
    return device_fdinfo(client.raw().session().file(), features_of(kNewestMinor))
               .find(line + "\n") != std::string::npos;
  }
  driver::Executor& executor;
  std::unique_ptr<Machine> machine;
};

// [C5.5]
TEST_EACH_EXECUTOR(EvictionTest, AJobReadsWhatTheCpuWroteMeanwhile) {
  TestClient client(*machine);
  const std::uint32_t vm = client.create_vm();
  const TestBuffer code = client.create_buffer(kPageSize);
  const TestBuffer data = client.create_buffer(kSize);
  ASSERT_EQ(client.bind(vm, TestClient::map(code.handle, kCodeVa, kPageSize)), 0);
  ASSERT_EQ(client.bind(vm, TestClient::map(data.handle, kVa, kSize)), 0);
  const std::uint32_t group = client.create_group(vm, 1);
  const std::uint32_t done = client.create_syncobj();
  std::uint64_t words[8] = {};
  datasheet::CsBuilder stream(words);
  stream.add_word(0x0144'0000'0000'0000 | (kVa + 5 * kPageSize));  // MOVE48 r68:69
  stream.add_word(0x1446'4400'0001'0000);                          // LOAD_MULTIPLE r70 <- [r68:69]
  stream.add_word(0x0300'0000'00ff'0000);                          // WAIT all
  stream.add_word(0x0142'0000'0000'0000 | (kCodeVa + kCopied));    // MOVE48 r66:67
  stream.add_word(0x1546'4200'0001'0000);                          // STORE_MULTIPLE r70 -> [r66:67]
  stream.add_word(0x0300'0000'00ff'0000);                          // WAIT all
  ASSERT_TRUE(code.memory->write(0, words, stream.bytes()));
  for (std::uint32_t round = 0; round < 3; ++round) {
    machine->device().settle();
    EXPECT_EQ(evict_all(), kSize + kPageSize) << "all but the driver's own";
    EXPECT_FALSE(data.memory->resident());
    const std::uint32_t value = 0x1000 + round;
    ASSERT_TRUE(data.memory->write(5 * kPageSize, &value, sizeof value));
    EXPECT_FALSE(data.memory->resident()) << "the CPU needs no frames";
    ASSERT_EQ(client.submit(group, 0, kCodeVa, static_cast<std::uint32_t>(stream.bytes()),
                            {TestClient::signals(done)}),
              0);
    ASSERT_EQ(client.wait(done, executor.clock().now() + seconds(30)), 0);
    EXPECT_EQ(code.word(kCopied), value);
    EXPECT_TRUE(data.memory->resident());
  }
}

// [C5.6]
TEST_EACH_EXECUTOR(EvictionTest, WhatIsBusyStaysUntilItsFenceHasSignalled) {
  TestClient client(*machine);
  const std::uint32_t vm = client.create_vm();
  const TestBuffer code = client.create_buffer(kPageSize);
  const TestBuffer data = client.create_buffer(kSize);
  ASSERT_EQ(client.bind(vm, TestClient::map(code.handle, kCodeVa, kPageSize)), 0);
  ASSERT_EQ(client.bind(vm, TestClient::map(data.handle, kVa, kSize)), 0);
  const std::uint32_t group = client.create_group(vm, 1);
  const std::uint32_t gate = client.create_syncobj();
  const std::uint32_t done = client.create_syncobj();
  const auto held = make_ref<driver::TestFence>(0, 1);
  client.raw().session().file().syncobj(gate)->replace(held);
  const std::uint32_t bytes = write_store_stream(code, 0, kVa, 77);
  ASSERT_EQ(
      client.submit(group, 0, kCodeVa, bytes, {TestClient::waits(gate), TestClient::signals(done)}),
      0);
  EXPECT_EQ(evict_all(), 0u);
  EXPECT_TRUE(data.memory->resident());
  held->signal(executor.clock().now(), 0);
  ASSERT_EQ(client.wait(done, executor.clock().now() + seconds(30)), 0);
  EXPECT_EQ(data.word(0), 77u);
  machine->device().settle();
  EXPECT_GT(evict_all(), 0u);
  EXPECT_EQ(data.word(0), 77u);
}

// [B5.2]
TEST_EACH_EXECUTOR(EvictionTest, FdinfoTellsWhatIsThere) {
  TestClient client(*machine);
  const TestBuffer buffer = client.create_buffer(kSize);
  EXPECT_TRUE(says(client, "drm-total-memory:\t1 MiB"));
  EXPECT_TRUE(says(client, "drm-resident-memory:\t1 MiB"));
  EXPECT_EQ(evict_all(), kSize);
  EXPECT_TRUE(says(client, "drm-total-memory:\t1 MiB"));
  EXPECT_TRUE(says(client, "drm-resident-memory:\t0"));
  const driver::BufferPin pin = buffer.memory->pin().value();
  EXPECT_TRUE(says(client, "drm-resident-memory:\t1 MiB"));
}

// What sparse ranges show is no buffer of the client's to take.
TEST_EACH_EXECUTOR(EvictionTest, WhatSparseRangesShowStays) {
  TestClient client(*machine);
  const std::uint32_t vm = client.create_vm();
  drm_panthor_vm_bind_op sparse = TestClient::map(0, kVa, 4 * kMiB);
  sparse.flags = DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE | DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC;
  ASSERT_EQ(client.bind(vm, sparse), 0);
  const TestBuffer hole = client.create_buffer(kSize);
  ASSERT_EQ(client.bind(vm, TestClient::map(hole.handle, kVa + kMiB, kSize)), 0);
  EXPECT_EQ(evict_all(), kSize);
  const Ref<driver::Vm> space = client.raw().session().file().vm(vm);
  EXPECT_TRUE(space->translate({kVa}));
  EXPECT_FALSE(space->translate({kVa + kMiB}));
  EXPECT_TRUE(space->translate({kVa + 2 * kMiB}));
  EXPECT_TRUE(space->make_resident());
  EXPECT_TRUE(space->translate({kVa + kMiB}));
  EXPECT_TRUE(space->translate({kVa + 2 * kMiB}));
}

}  // namespace
}  // namespace pantry::uapi
