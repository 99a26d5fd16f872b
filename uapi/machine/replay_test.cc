// SPDX-License-Identifier: MIT
//
// A simulated machine is a function of its seed: the same seed gives the same event log, byte for
// byte, in one process and whatever ran before; other seeds give other orders.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/mutex.h"
#include "driver/kernel/each_executor.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

constexpr std::uint64_t kStreamVa = 0x100'0000;
constexpr std::uint64_t kDataVa = 0x200'0000;

// Two clients at once: binds, jobs, a fault, closing.
std::string log_of(std::uint64_t seed) {
  driver::SimExecutor executor(seed, 2);
  {
    MachineConfig config;
    config.dram_bytes = 32 * kMiB;
    config.memory = MachineConfig::Memory::kArena;
    auto machine = Machine::create(executor, config);
    EXPECT_TRUE(machine.has_value());
    auto body = [&] {
      TestClient client(**machine);
      const std::uint32_t vm = client.create_vm();
      const TestBuffer stream = client.create_buffer(kPageSize);
      const TestBuffer data = client.create_buffer(kPageSize);
      const std::uint32_t done = client.create_syncobj();
      EXPECT_EQ(client.bind(vm, TestClient::map(stream.handle, kStreamVa, kPageSize)), 0);
      std::vector<drm_panthor_sync_op> syncs{TestClient::signals(done)};
      drm_panthor_vm_bind_op op = TestClient::map(data.handle, kDataVa, kPageSize);
      TestClient::sync_with(op, syncs);
      EXPECT_EQ(client.bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, {op}), 0);
      const std::uint32_t group = client.create_group(vm, 1);
      const std::uint32_t bytes = write_store_stream(stream, 0, kDataVa, 7);
      EXPECT_EQ(client.submit(group, 0, kStreamVa, bytes,
                              {TestClient::waits(done), TestClient::signals(done)}),
                0);
      EXPECT_EQ(client.wait(done, executor.clock().now() + seconds(20)), 0);
      EXPECT_EQ(data.word(0), 7u);
      EXPECT_EQ(client.submit(group, 0, 0x900'0000, 8, {TestClient::signals(done)}), 0);
      EXPECT_EQ(client.wait(done, executor.clock().now() + seconds(20)), 0);
    };
    Mutex mutex;
    CondVar returned;
    bool is_first_done = false;
    auto first = driver::test_thread([&] {
      body();
      MutexLock lock(mutex);
      is_first_done = true;
      returned.notify_all();
    });
    executor.spawn("client", first);
    body();
    {
      MutexLock lock(mutex);
      while (!is_first_done) returned.wait(mutex);
    }
    machine->reset();
    executor.join_spawned();
  }
  return executor.log();
}

TEST(Replay, ASeedGivesTheSameLogByteForByte) {
  const std::uint64_t seeds = std::min<std::uint64_t>(driver::sim_seeds(), 20);
  std::set<std::string> different;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const std::string log = log_of(seed);
    ASSERT_EQ(log_of(seed), log) << "seed " << seed;
    different.insert(log);
  }
  if (seeds > 1) {
    EXPECT_GT(different.size(), seeds / 2);
  }
}

}  // namespace
}  // namespace pantry::uapi
