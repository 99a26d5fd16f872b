// SPDX-License-Identifier: MIT
//
// Whole machines with clients in the same process, on real threads and under simulation: whatever a
// test claims, the GPU has read or written through the mapping, or has faulted.
#include "uapi/machine/machine.h"

#include <gtest/gtest.h>

#include "driver/kernel/allocation_trap.h"
#include "driver/kernel/each_executor.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

constexpr std::uint64_t kStreamVa = 0x100'0000;
constexpr std::uint64_t kDataVa = 0x100'1000;
constexpr unsigned kBindThreads = 2;

MachineConfig small_machine() {
  MachineConfig config;
  config.dram_bytes = 64 * kMiB;
  config.memory = MachineConfig::Memory::kArena;
  config.scatter_seed = 1;
  return config;
}

// Runs `body(machine, executor)` and checks that the machine is as before afterwards.
template <class Body>
void for_each_machine(Body body) {
  driver::for_each_executor(kBindThreads, [&](driver::Executor& executor) {
    auto made = Machine::create(executor, small_machine());
    ASSERT_TRUE(made.has_value()) << name_of(made.error());
    Machine& machine = **made;
    const Machine::Baseline before = machine.baseline();
    body(machine, executor);
    EXPECT_EQ(machine.baseline(), before) << "something is left behind";
  });
}

TimePoint soon(driver::Executor& executor) { return executor.clock().now() + seconds(20); }

// A VM with a page of streams and a page of data, and a group.
struct Bench {
  explicit Bench(Machine& machine) : client(machine) {
    vm = client.create_vm();
    stream = client.create_buffer(kPageSize);
    data = client.create_buffer(kPageSize);
    EXPECT_EQ(client.bind(vm, TestClient::map(stream.handle, kStreamVa, kPageSize)), 0);
    group = client.create_group(vm, 1);
    done = client.create_syncobj();
  }
  // 0 when a store to `va` has completed.
  int store(driver::Executor& executor, std::uint64_t va, std::uint32_t value) {
    const std::uint32_t bytes = write_store_stream(stream, 0, va, value);
    EXPECT_EQ(client.submit(group, 0, kStreamVa, bytes, {TestClient::signals(done)}), 0);
    return client.wait(done, soon(executor));
  }
  TestClient client;
  std::uint32_t vm = 0;
  TestBuffer stream;
  TestBuffer data;
  std::uint32_t group = 0;
  std::uint32_t done = 0;
};

TEST(Machine, ComesUpAndGoesDown) {
  for_each_machine([](Machine& machine, driver::Executor&) {
    EXPECT_EQ(machine.device().gpu_info().va_bits(), 48u);
    EXPECT_EQ(machine.device().csif_info().csg_slot_count, 8u);
  });
}

TEST(Machine, JobWritesThroughASynchronousBind) {
  for_each_machine([](Machine& machine, driver::Executor& executor) {
    Bench bench(machine);
    ASSERT_EQ(bench.client.bind(bench.vm, TestClient::map(bench.data.handle, kDataVa, kPageSize)),
              0);
    ASSERT_EQ(bench.store(executor, kDataVa + 8, 0xdeadbeef), 0);
    EXPECT_EQ(bench.data.word(8), 0xdeadbeefu);
    EXPECT_EQ(bench.data.word(4), 0u);
    EXPECT_EQ(bench.client.group_state(bench.group).state, 0u);
  });
}

TEST(Machine, UnboundAddressFaultsAndSparesTheVm) {
  for_each_machine([](Machine& machine, driver::Executor& executor) {
    Bench bench(machine);
    ASSERT_EQ(bench.client.bind(bench.vm, TestClient::map(bench.data.handle, kDataVa, kPageSize)),
              0);
    ASSERT_EQ(bench.store(executor, kDataVa, 1), 0);
    ASSERT_EQ(bench.client.bind(bench.vm, TestClient::unmap(kDataVa, kPageSize)), 0);
    ASSERT_EQ(bench.store(executor, kDataVa, 2), 0)
        << "the fence of a job that faulted signals too";
    EXPECT_EQ(bench.data.word(0), 1u);
    EXPECT_NE(bench.client.group_state(bench.group).fatal_queues, 0u);

    ASSERT_EQ(bench.client.bind(bench.vm, TestClient::map(bench.data.handle, kDataVa, kPageSize)),
              0);
    bench.group = bench.client.create_group(bench.vm, 1);
    ASSERT_EQ(bench.store(executor, kDataVa, 3), 0);
    EXPECT_EQ(bench.data.word(0), 3u);
    EXPECT_EQ(bench.client.group_state(bench.group).state, 0u);
  });
}

TEST(Machine, AsynchronousBindGatesAJob) {
  for_each_machine([](Machine& machine, driver::Executor& executor) {
    Bench bench(machine);
    const std::uint32_t bound = bench.client.create_syncobj();
    const std::uint32_t source = bench.client.create_syncobj();
    ASSERT_EQ(bench.client.signal(source), 0);
    std::vector<drm_panthor_sync_op> syncs{TestClient::waits(source), TestClient::signals(bound)};
    drm_panthor_vm_bind_op op = TestClient::map(bench.data.handle, kDataVa, kPageSize);
    TestClient::sync_with(op, syncs);
    ASSERT_EQ(bench.client.bind(bench.vm, DRM_PANTHOR_VM_BIND_ASYNC, {op}), 0);
    const std::uint32_t bytes = write_store_stream(bench.stream, 0, kDataVa, 0x1234);
    ASSERT_EQ(bench.client.submit(bench.group, 0, kStreamVa, bytes,
                                  {TestClient::waits(bound), TestClient::signals(bench.done)}),
              0);
    ASSERT_EQ(bench.client.wait(bench.done, soon(executor)), 0);
    EXPECT_EQ(bench.data.word(0), 0x1234u);
  });
}

TEST(Machine, MoreGroupsAndVmsThanSlots) {
  for_each_machine([](Machine& machine, driver::Executor& executor) {
    std::vector<std::unique_ptr<Bench>> benches;
    for (int i = 0; i < 10; ++i) {
      benches.push_back(std::make_unique<Bench>(machine));
      ASSERT_EQ(
          benches.back()->client.bind(
              benches.back()->vm, TestClient::map(benches.back()->data.handle, kDataVa, kPageSize)),
          0);
    }
    for (std::uint32_t i = 0; i < benches.size(); ++i) {
      Bench& bench = *benches[i];
      const std::uint32_t bytes = write_store_stream(bench.stream, 0, kDataVa, i + 1);
      ASSERT_EQ(
          bench.client.submit(bench.group, 0, kStreamVa, bytes, {TestClient::signals(bench.done)}),
          0);
    }
    for (std::uint32_t i = 0; i < benches.size(); ++i) {
      ASSERT_EQ(benches[i]->client.wait(benches[i]->done, soon(executor)), 0);
      EXPECT_EQ(benches[i]->data.word(0), i + 1);
    }
  });
}

TEST(Machine, ClosingWithWorkPendingLeavesNothing) {
  for_each_machine([](Machine& machine, driver::Executor&) {
    Bench bench(machine);
    ASSERT_EQ(bench.client.bind(bench.vm, TestClient::map(bench.data.handle, kDataVa, kPageSize)),
              0);
    // A branch to itself.
    const std::uint64_t loop[] = {0x0246'0000'0000'0001, 0x1600'4600'6000'ffff};
    ASSERT_TRUE(bench.stream.memory->write(0, loop, sizeof loop));
    ASSERT_EQ(bench.client.submit(bench.group, 0, kStreamVa, sizeof loop, {}), 0);
    drm_panthor_vm_bind_op op = TestClient::unmap(kDataVa, kPageSize);
    std::vector<drm_panthor_sync_op> syncs{TestClient::signals(bench.done)};
    TestClient::sync_with(op, syncs);
    ASSERT_EQ(bench.client.bind(bench.vm, DRM_PANTHOR_VM_BIND_ASYNC, {op}), 0);
  });
}

// What is idle for 50 ms loses its power: registers, address spaces and flush ids say so. A client
// notices nothing.
TEST(Machine, AnIdleGpuIsSuspendedAndTheNextJobResumesIt) {
  for_each_machine([](Machine& machine, driver::Executor& executor) {
    Bench bench(machine);
    ASSERT_EQ(bench.client.bind(bench.vm, TestClient::map(bench.data.handle, kDataVa, kPageSize)),
              0);
    for (std::uint32_t round = 1; round <= 3; ++round) {
      ASSERT_EQ(bench.store(executor, kDataVa, round), 0);
      EXPECT_EQ(bench.data.word(0), round);
      // The group has to be reported as idle first.
      const TimePoint limit = soon(executor);
      while (!machine.device().suspended() && executor.clock().now() < limit)
        executor.clock().sleep(milliseconds(10));
      ASSERT_TRUE(machine.device().suspended());
      const driver::AllocationTrapPause pause;  // the dump is of a device that stands still
      const emu::GpuDump dump = machine.gpu().dump();
      EXPECT_EQ(dump.l2_ready, 0u);
      EXPECT_EQ(dump.job.mask | dump.mmu.mask | dump.gpu.mask, 0u);
      // A bind has no device to talk to.
      ASSERT_EQ(bench.client.bind(bench.vm, TestClient::map(bench.data.handle, kDataVa, kPageSize)),
                0);
      EXPECT_TRUE(machine.device().suspended());
    }
    EXPECT_EQ(machine.device().resets(), 0u);
  });
}

}  // namespace
}  // namespace pantry::uapi
