// SPDX-License-Identifier: MIT
//
// Clients that make no sense: random commands with random bytes, and sensible structs with random
// fields. Nothing may crash, hang or stay behind; every refusal is an errno.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/mman.h>

#include <array>
#include <random>
#include <span>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

constexpr std::size_t kArgumentBytes = 64;
// Any DRM command that reads and writes its argument; the number goes into the low byte.
constexpr std::uint32_t kRequest = _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE, 0, kArgumentBytes);

// Values on which the rules turn.
std::uint64_t interesting(std::uint64_t roll, const void* scratch) {
  static constexpr std::array<std::uint64_t, 14> kValues = {
      0,        1,          2,          3,          16,         48,    0x1000,
      0x200000, 0xffffffff, 1ull << 31, 1ull << 32, 1ull << 47, ~0ull, ~0xfffull};
  if (roll % 16 < kValues.size()) return kValues[roll % 16];
  return roll % 16 == 14 ? reinterpret_cast<std::uint64_t>(scratch) : roll;
}

// The client's memory: a page with nothing behind it, since a size that is far too large is filled
// with zeros to its end.
class ClientPage {
 public:
  ClientPage()
      : pages_(mmap(nullptr, 2 * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0)) {
    EXPECT_NE(pages_, MAP_FAILED);
    EXPECT_EQ(mprotect(static_cast<std::uint8_t*>(pages_) + kPageSize, kPageSize, PROT_NONE), 0);
  }
  ~ClientPage() { munmap(pages_, 2 * kPageSize); }
  std::span<std::uint64_t> words() {
    return {static_cast<std::uint64_t*>(pages_), kPageSize / sizeof(std::uint64_t)};
  }

 private:
  void* const pages_;
};

// 40 calls that `rolls` decides. False: a result that is none.
bool talk_nonsense(Machine& machine, std::span<std::uint64_t> scratch,
                   const std::vector<std::uint64_t>& rolls) {
  TestClient client(machine);
  client.create_vm();
  client.create_buffer(kPageSize);
  client.create_group(1, 1);
  client.create_syncobj();
  std::size_t at = 0;
  auto next = [&] {
    ++at;
    return rolls[at % rolls.size()] + at * 0x9e3779b97f4a7c15;
  };
  for (int i = 0; i < 40; ++i) {
    for (std::uint64_t& word : scratch) word = 0;
    for (int k = 0; k < 24; ++k)
      scratch[next() % scratch.size()] = interesting(next() >> 7, &scratch[next() % 400]);
    std::array<std::uint64_t, kArgumentBytes / 8> argument{};
    for (std::uint64_t& word : argument) {
      const std::uint64_t low = interesting(next() >> 5, scratch.data());
      word = next() % 2 == 0 ? low
                             : (low & 0xffffffff) | interesting(next() >> 9, scratch.data()) << 32;
    }
    const std::uint32_t number = next() % 4 == 0 ? static_cast<std::uint32_t>(next() % 256)
                                                 : static_cast<std::uint32_t>(0x40 + next() % 11);
    // Waits may not last: SYNCOBJ waits with a random, usually endless, timeout are left to the
    // wait tests.
    if (number == 0xc3 || number == 0xca || number == 0xcc) continue;
    const int result = client.raw().ioctl(kRequest | number, argument.data());
    if (result > 0 || result <= -4096) return false;
  }
  return true;
}

std::unique_ptr<Machine> small_machine(driver::Executor& executor) {
  MachineConfig config;
  config.dram_bytes = 64 * kMiB;
  config.memory = MachineConfig::Memory::kArena;
  auto machine = Machine::create(executor, config);
  EXPECT_TRUE(machine.has_value());
  return *std::move(machine);
}

TEST(RandomIoctl, LeavesTheMachineAsItWas) {
  driver::ThreadExecutor executor(2);
  const std::unique_ptr<Machine> machine = small_machine(executor);
  ClientPage page;
  EXPECT_TRUE(rc::check([&] {
    const Machine::Baseline before = machine->baseline();
    const auto rolls = *rc::gen::container<std::vector<std::uint64_t>>(
        *rc::gen::inRange(1, 200), rc::gen::arbitrary<std::uint64_t>());
    RC_ASSERT(talk_nonsense(*machine, page.words(), rolls));
    RC_ASSERT(machine->baseline() == before);
  }));
}

TEST(RandomIoctl, LeavesASimulatedMachineAsItWas) {
  driver::for_each_seed(2, [](driver::SimExecutor& executor) {
    std::mt19937_64 random(executor.seed());
    const std::unique_ptr<Machine> machine = small_machine(executor);
    const Machine::Baseline before = machine->baseline();
    ClientPage page;
    std::vector<std::uint64_t> rolls(1 + random() % 200);
    for (std::uint64_t& roll : rolls) roll = random();
    EXPECT_TRUE(talk_nonsense(*machine, page.words(), rolls));
    EXPECT_TRUE(machine->baseline() == before);
  });
}

}  // namespace
}  // namespace pantry::uapi
