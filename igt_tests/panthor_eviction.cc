// SPDX-License-Identifier: MIT

#include <cerrno>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION(
    "More buffers than the device has memory for: idle ones give theirs up and get it back. On a "
    "device with 64 MiB and swap the driver has to; elsewhere nothing may differ.");

using namespace gpu;

namespace {

constexpr uint32_t kSpaces = 5;
constexpr uint32_t kBuffers = 4;  // of each space
constexpr uint64_t kSize = 6 * 1024 * 1024;
constexpr uint32_t kPages = kSize / kPage;
constexpr uint32_t kAtOnce = 256;  // pages that one stream reads

uint32_t base_of(uint32_t space, uint32_t buffer) { return (space * kBuffers + buffer + 1) << 16; }

// Each word differs from all words of other pages and buffers.
uint32_t word_of(uint32_t base, uint64_t at) {
  const uint32_t page = static_cast<uint32_t>(at / kPage);
  const uint32_t word = static_cast<uint32_t>(at % kPage / sizeof(uint32_t));
  return base + page + word * 0x9e3779b1u;
}

// A client's address space that is full of buffers of its own.
struct Space {
  Space(const Device& device, uint32_t number) : bench(device), index(number) {
    for (uint32_t i = 0; i < kBuffers; ++i) {
      buffers.push_back(Bo::create_with(device, kSize, 0, bench.vm().id()));
      volatile uint32_t* const words = buffers.back().words();
      for (uint64_t at = 0; at < kSize; at += sizeof(uint32_t))
        words[at / sizeof(uint32_t)] = word_of(base_of(index, i), at);
      bench.vm().map(buffers.back(), va_of(i));
    }
  }
  static uint64_t va_of(uint32_t buffer) { return kPlay + buffer * kGigabyte; }

  // The first word of each page, by the GPU.
  void expect_pages(uint32_t buffer, uint32_t base) {
    for (uint32_t page = 0; page < kPages; page += kAtOnce) {
      const std::vector<uint32_t> tags =
          bench.load_tags(va_of(buffer) + uint64_t{page} * kPage, kAtOnce);
      for (uint32_t i = 0; i < kAtOnce; ++i) igt_assert_eq(tags[i], base + page + i);
    }
  }
  // Every byte, by the CPU.
  void expect_words(uint32_t buffer, uint32_t base) {
    const volatile uint32_t* const words = buffers[buffer].words();
    for (uint64_t at = 0; at < kSize; at += sizeof(uint32_t))
      if (words[at / sizeof(uint32_t)] != word_of(base, at))
        igt_assert_eq(words[at / sizeof(uint32_t)], word_of(base, at));
  }

  Bench bench;
  uint32_t index;
  std::vector<Bo> buffers;
};

std::vector<Space> fill(const Device& device) {
  std::vector<Space> spaces;
  spaces.reserve(kSpaces);
  for (uint32_t i = 0; i < kSpaces; ++i) spaces.emplace_back(device, i);
  return spaces;
}

// Creating the later ones takes the memory of the earlier ones; each job brings back what its space
// maps, at the cost of others.
void more_than_memory(const Device& device) {
  std::vector<Space> spaces = fill(device);
  for (int round = 0; round < 2; ++round)
    for (Space& space : spaces)
      for (uint32_t i = 0; i < kBuffers; ++i) space.expect_pages(i, base_of(space.index, i));
  for (Space& space : spaces)
    for (uint32_t i = 0; i < kBuffers; ++i) space.expect_words(i, base_of(space.index, i));
}

// A CPU mapping is as good as before while the buffer has no memory on the device.
void cpu_writes_while_evicted(const Device& device) {
  std::vector<Space> spaces = fill(device);
  constexpr uint32_t kNew = 0x7000'0000;
  spaces[0].buffers[0].tag_pages(kNew);  // by now the others have its memory
  spaces[0].expect_pages(0, kNew);
  spaces[0].expect_pages(1, base_of(0, 1));
}

// What jobs wrote is what the CPU, and later jobs, find.
void gpu_writes_survive(const Device& device) {
  std::vector<Space> spaces = fill(device);
  constexpr uint32_t kNew = 0x6000'0000;
  for (Space& space : spaces)
    for (uint32_t page = 0; page < kPages; page += kAtOnce)
      space.bench.store_tags(Space::va_of(0) + uint64_t{page} * kPage, kAtOnce, kNew + page);
  for (Space& space : spaces) {
    for (uint32_t page = 0; page < kPages; ++page)
      igt_assert_eq(space.buffers[0].word_at(uint64_t{page} * kPage), kNew + page);
    space.expect_pages(0, kNew);
  }
}

// One buffer in all spaces, whose turn comes between those of others.
void shared_buffer(const Device& device) {
  Bo shared = Bo::create(device, kBlock);
  shared.tag_pages(500);
  std::vector<Space> spaces = fill(device);
  constexpr uint64_t kVa = kPlay + 64 * kGigabyte;
  for (Space& space : spaces) space.bench.vm().map(shared, kVa);
  for (uint32_t round = 0; round < 2; ++round)
    for (Space& space : spaces) {
      igt_assert_eq(space.bench.load32(kVa + 7 * kPage), 507 + round * 1000 + space.index);
      space.bench.store32(kVa + 7 * kPage, 507 + round * 1000 + space.index + 1);
      if (space.index == kSpaces - 1) space.bench.store32(kVa + 7 * kPage, 1507 + round * 1000);
    }
}

// A space that ends while what it maps is away leaves nothing, and the others are as they were.
void destroyed_while_evicted(const Device& device) {
  std::vector<Space> spaces = fill(device);
  spaces.erase(spaces.begin(), spaces.begin() + 2);
  for (Space& space : spaces) space.expect_pages(kBuffers - 1, base_of(space.index, kBuffers - 1));
}

constexpr Case kCases[] = {
    {"more-than-memory", "The content of idle buffers is preserved. [C5.5]", more_than_memory},
    {"cpu-writes-while-evicted", "What the CPU writes meanwhile is what jobs see. [C5.5]",
     cpu_writes_while_evicted},
    {"gpu-writes-survive", "What jobs wrote is preserved. [C5.5]", gpu_writes_survive},
    {"shared-buffer", "A buffer of several spaces is one buffer in all of them. [C5.5]",
     shared_buffer},
    {"destroyed-while-evicted", "A space may go while its buffers are away.",
     destroyed_while_evicted},
};

}  // namespace

igt_main { run_cases(kCases); }
