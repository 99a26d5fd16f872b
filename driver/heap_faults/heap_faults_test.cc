// SPDX-License-Identifier: MIT
#include "driver/heap_faults/heap_faults.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "base/sanitizer.h"

namespace pantry::driver {
namespace {

// Keeps the compiler from leaving an allocation out.
void* volatile sink;

// Whether the first allocation of `step` was made to fail, and how it was told.
template <class Step>
bool throws_bad_alloc(Step step) {
  heap_faults().fail_nth(1);
  bool thrown = false;
  try {
    step();
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  const bool fired = heap_faults().fired();
  heap_faults().fail_nth(0);
  return thrown && fired;
}

class HeapFaults : public testing::Test {
 protected:
  void SetUp() override {
#if PANTRY_THREAD_SANITIZER
    GTEST_SKIP() << "ThreadSanitizer keeps operator new to itself";
#endif
  }
};

TEST_F(HeapFaults, EveryFormOfNewFails) {
  struct alignas(64) Wide {
    char bytes[64];
  };
  EXPECT_TRUE(throws_bad_alloc([] { sink = new int(1); }));
  EXPECT_TRUE(throws_bad_alloc([] { sink = new int[7]; }));
  EXPECT_TRUE(throws_bad_alloc([] { sink = new Wide; }));
  EXPECT_TRUE(throws_bad_alloc([] { sink = new Wide[2]; }));
  EXPECT_TRUE(throws_bad_alloc([] { std::vector<int> numbers(10); }));
  EXPECT_TRUE(throws_bad_alloc([] { std::string text(100, 'x'); }));
  EXPECT_TRUE(throws_bad_alloc([] { std::map<int, int>().emplace(1, 1); }));
  for (int form = 0; form < 4; ++form) {
    heap_faults().fail_nth(1);
    void* block = &form;
    if (form == 0) block = new (std::nothrow) int;
    if (form == 1) block = new (std::nothrow) int[3];
    if (form == 2) block = new (std::nothrow) Wide;
    if (form == 3) block = new (std::nothrow) Wide[3];
    EXPECT_EQ(block, nullptr) << form;
    EXPECT_TRUE(heap_faults().fired()) << form;
  }
}

void allocate_and_free() {
  auto* const block = new int(1);
  sink = block;
  delete block;
}

TEST_F(HeapFaults, OnlyTheChosenOneOfThisThreadFails) {
  std::atomic<bool> armed{false};
  std::thread other([&] {
    armed.wait(false);
    for (int i = 0; i < 100; ++i) allocate_and_free();
  });
  heap_faults().fail_nth(3);
  armed = true;
  armed.notify_one();
  other.join();
  allocate_and_free();
  allocate_and_free();
  EXPECT_FALSE(heap_faults().fired());
  EXPECT_THROW(allocate_and_free(), std::bad_alloc);
  EXPECT_TRUE(heap_faults().fired());
  allocate_and_free();
}

TEST_F(HeapFaults, CountsTheBlocksThatAreOut) {
  const std::uint64_t before = heap_blocks();
  auto* const plain = new int(1);
  auto* const array = new std::string[3];
  EXPECT_EQ(heap_blocks(), before + 2);
  delete plain;
  delete[] array;
  EXPECT_EQ(heap_blocks(), before);
  EXPECT_TRUE(throws_bad_alloc([] { sink = new int(1); }));
  EXPECT_EQ(heap_blocks(), before);
}

TEST_F(HeapFaults, SaysWhoAsked) {
  EXPECT_TRUE(throws_bad_alloc([] { sink = new int(1); }));
  EXPECT_GT(heap_faults().where().frames().size(), 2u);
}

}  // namespace
}  // namespace pantry::driver
