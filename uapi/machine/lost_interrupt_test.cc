// SPDX-License-Identifier: MIT
//
// What comes of a page fault whose MMU interrupt is lost. As with Linux's driver, nobody learns of
// it: the address space stalls, the job runs into its timeout, and its group is terminated. The
// address space works again once the driver has programmed it anew, after a suspend, or has looked
// at the interrupt for another reason. Under simulation only, where five seconds cost nothing.
#include <gtest/gtest.h>

#include <atomic>

#include "driver/kernel/each_executor.h"
#include "gpu_emu/misbehaviour.h"
#include "uapi/machine/machine.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

constexpr std::uint64_t kStreamVa = 0x100'0000;
constexpr std::uint64_t kDataVa = 0x100'1000;
constexpr std::uint64_t kNowhere = 0x900'0000;
constexpr Duration kJobTimeout = seconds(5);

class LossyMmuLine final : public emu::Misbehaviour {
 public:
  void lose_next() { next_is_lost_ = true; }
  bool has_lost() const { return !next_is_lost_; }

  bool loses_interrupt(Line line) override {
    return line == Line::kMmu && next_is_lost_.exchange(false);
  }

 private:
  std::atomic<bool> next_is_lost_{false};
};

// `body(machine, executor, line)`, after which the machine is as before.
template <class Body>
void for_each_lossy_machine(Body body) {
  driver::for_each_seed(2, [&](driver::SimExecutor& executor) {
    LossyMmuLine line;
    MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    config.memory = MachineConfig::Memory::kArena;
    config.misbehaviour = &line;
    auto made = Machine::create(executor, config);
    ASSERT_TRUE(made.has_value()) << name_of(made.error());
    const Machine::Baseline before = (*made)->baseline();
    body(**made, executor, line);
    EXPECT_EQ((*made)->baseline(), before) << "something is left behind";
    EXPECT_EQ((*made)->device().resets(), 0u);
  });
}

// A client with a VM, a page of streams, a page of data and a group.
struct Bench {
  Bench(Machine& machine, driver::Executor& on) : executor(on), client(machine) {
    vm = client.create_vm();
    stream = client.create_buffer(kPageSize);
    data = client.create_buffer(kPageSize);
    EXPECT_EQ(client.bind(vm, TestClient::map(stream.handle, kStreamVa, kPageSize)), 0);
    EXPECT_EQ(client.bind(vm, TestClient::map(data.handle, kDataVa, kPageSize)), 0);
    group = client.create_group(vm, 1);
    done = client.create_syncobj();
  }
  void start_store(std::uint64_t va, std::uint32_t value) {
    const std::uint32_t bytes = write_store_stream(stream, 0, va, value);
    EXPECT_EQ(client.submit(group, 0, kStreamVa, bytes, {TestClient::signals(done)}), 0);
  }
  int wait() { return client.wait(done, executor.clock().now() + seconds(20)); }
  bool stores(std::uint32_t value) {
    start_store(kDataVa, value);
    return wait() == 0 && data.word(0) == value && client.group_state(group).state == 0;
  }
  bool timed_out() {
    return (client.group_state(group).state & DRM_PANTHOR_GROUP_STATE_TIMEDOUT) != 0;
  }
  // A fault that nobody learns of; returns when its job is over.
  void fault_unheard(LossyMmuLine& line) {
    line.lose_next();
    const TimePoint start = executor.clock().now();
    start_store(kNowhere, 1);
    EXPECT_EQ(wait(), 0) << "the fence of a job that timed out signals too";
    EXPECT_TRUE(line.has_lost());
    EXPECT_GE(executor.clock().now() - start, kJobTimeout);
    EXPECT_TRUE(timed_out());
  }
  void new_group() { group = client.create_group(vm, 1); }

  driver::Executor& executor;
  TestClient client;
  std::uint32_t vm = 0;
  TestBuffer stream;
  TestBuffer data;
  std::uint32_t group = 0;
  std::uint32_t done = 0;
};

TEST(LostMmuInterrupt, TheJobTimesOutAndASuspendBringsTheAddressSpaceBack) {
  for_each_lossy_machine([](Machine& machine, driver::Executor& executor, LossyMmuLine& line) {
    Bench bench(machine, executor);
    ASSERT_TRUE(bench.stores(1));
    bench.fault_unheard(line);
    const TimePoint limit = executor.clock().now() + seconds(20);
    while (!machine.device().suspended() && executor.clock().now() < limit)
      executor.clock().sleep(milliseconds(10));
    ASSERT_TRUE(machine.device().suspended()) << "the dead group keeps the device awake";
    bench.new_group();
    EXPECT_TRUE(bench.stores(2));
  });
}

TEST(LostMmuInterrupt, NeighboursLoseNothing) {
  for_each_lossy_machine([](Machine& machine, driver::Executor& executor, LossyMmuLine& line) {
    Bench victim(machine, executor);
    Bench neighbour(machine, executor);
    line.lose_next();
    victim.start_store(kNowhere, 1);
    for (std::uint32_t value = 1; value <= 20; ++value) ASSERT_TRUE(neighbour.stores(value));
    EXPECT_TRUE(line.has_lost());
    EXPECT_EQ(victim.wait(), 0);
    EXPECT_TRUE(victim.timed_out());
    ASSERT_TRUE(neighbour.stores(100));
  });
}

// While the device stays awake the address space stalls on, and so each job of the VM times out;
// that ends with the next interrupt that is heard, whoever caused it.
TEST(LostMmuInterrupt, AnotherFaultBringsTheAddressSpaceBack) {
  for_each_lossy_machine([](Machine& machine, driver::Executor& executor, LossyMmuLine& line) {
    Bench victim(machine, executor);
    Bench other(machine, executor);
    ASSERT_TRUE(other.stores(1));
    victim.fault_unheard(line);
    victim.new_group();
    victim.start_store(kDataVa, 2);
    EXPECT_EQ(victim.wait(), 0);
    EXPECT_TRUE(victim.timed_out()) << "nobody has answered the fault";
    other.start_store(kNowhere, 2);
    EXPECT_EQ(other.wait(), 0);
    EXPECT_NE(other.client.group_state(other.group).state & DRM_PANTHOR_GROUP_STATE_FATAL_FAULT,
              0u);
    victim.new_group();
    EXPECT_TRUE(victim.stores(3));
    other.new_group();
    EXPECT_TRUE(other.stores(4));
  });
}

// The VM and its groups go while its address space stalls.
TEST(LostMmuInterrupt, AClientMayGoMeanwhile) {
  for_each_lossy_machine([](Machine& machine, driver::Executor& executor, LossyMmuLine& line) {
    {
      Bench victim(machine, executor);
      line.lose_next();
      victim.start_store(kNowhere, 1);
      const TimePoint limit = executor.clock().now() + seconds(20);
      while (!line.has_lost() && executor.clock().now() < limit)
        executor.clock().sleep(milliseconds(1));
      ASSERT_TRUE(line.has_lost());
    }
    Bench next(machine, executor);
    EXPECT_TRUE(next.stores(1));
  });
}

}  // namespace
}  // namespace pantry::uapi
