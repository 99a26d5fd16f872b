// SPDX-License-Identifier: MIT
#include "driver/kernel/allocation_trap.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/sanitizer.h"
#include "driver/kernel/each_executor.h"
#include "driver/kernel/signalling.h"

namespace pantry::driver {
namespace {

// Keeps the compiler from leaving an allocation out.
void* volatile sink;

template <class Step>
void in_section(Step step) {
  WorkLane lane("idle", WorkLane::Items::kMayWait);
  Cleanup cleanup(lane);
  SignallingSection section(cleanup);
  step();
}

class AllocationTrapDeathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!allocation_trap_armed()) GTEST_SKIP() << "this build has no traps";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

#if PANTRY_ADDRESS_SANITIZER || PANTRY_THREAD_SANITIZER
// These builds are how the whole test run is trapped, and without it the tests below are skipped.
TEST(AllocationTrap, IsArmedWithSanitizers) { EXPECT_TRUE(allocation_trap_armed()); }
#endif

#define EXPECT_TRAP(statement) \
  EXPECT_DEATH(in_section([] { statement; }), "inside a SignallingSection")

TEST_F(AllocationTrapDeathTest, NewAndDelete) {
  EXPECT_TRAP(sink = new int(3));
  EXPECT_TRAP(sink = new std::string[3]);
  EXPECT_TRAP(sink = ::operator new(64, std::align_val_t(64)));
  static int* const before = new int(1);
  EXPECT_TRAP(delete before);
}

TEST_F(AllocationTrapDeathTest, MallocFamily) {
  EXPECT_TRAP(sink = std::malloc(10));
  EXPECT_TRAP(sink = std::calloc(2, 10));
#if !PANTRY_THREAD_SANITIZER  // its hooks leave these two out
  EXPECT_TRAP(sink = std::aligned_alloc(64, 128));
  EXPECT_TRAP(void* p = nullptr; if (posix_memalign(&p, 64, 64) == 0) sink = p);
#endif
  static void* const before = std::malloc(16);
  EXPECT_TRAP(sink = std::realloc(before, 4000));
  EXPECT_TRAP(std::free(before));
}

// Allocation inside the C library is allocation too.
TEST_F(AllocationTrapDeathTest, TheLibrarysOwnAllocations) {
  static std::string text(100, 'x');
  EXPECT_TRAP(std::string copy(text); sink = &copy);
  EXPECT_TRAP(sink = strdup(text.c_str()));
}

TEST(AllocationTrap, LeavesTheRestAlone) {
  in_section([] {
    std::free(nullptr);
    delete static_cast<int*>(nullptr);
    Mutex mutex;
    CondVar changed;
    MutexLock lock(mutex);
    changed.notify_all();
    AllocationTrapPause pause;
    sink = std::malloc(10);
    std::free(sink);
  });
}

TEST(AllocationTrap, AllocationStillWorks) {
  for (std::size_t alignment = sizeof(void*); alignment <= 4096; alignment *= 2) {
    void* pointer = nullptr;
    ASSERT_EQ(posix_memalign(&pointer, alignment, 100), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pointer) % alignment, 0u);
    std::free(pointer);
    pointer = std::aligned_alloc(alignment, alignment);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pointer) % alignment, 0u);
    std::free(pointer);
  }
  auto* zeroed = static_cast<unsigned char*>(std::calloc(100, 3));
  for (int i = 0; i < 300; ++i) EXPECT_EQ(zeroed[i], 0);
  zeroed = static_cast<unsigned char*>(std::realloc(zeroed, 100'000));
  for (int i = 0; i < 300; ++i) EXPECT_EQ(zeroed[i], 0);
  std::free(zeroed);
}

// The simulator's own event log grows inside sections, which is none of the driver's business.
TEST(AllocationTrap, SimulationIsNotTheDriver) {
  for_each_seed(1, [](SimExecutor& executor) {
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    Mutex mutex;
    auto client = test_thread([&] {
      SignallingSection section(cleanup);
      for (int i = 0; i < 30; ++i) MutexLock lock(mutex);
      executor.clock().sleep(microseconds(1));
    });
    executor.spawn("client", client);
    executor.spawn("client", client);
    executor.join_spawned();
  });
}

}  // namespace
}  // namespace pantry::driver
