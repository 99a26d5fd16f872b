// SPDX-License-Identifier: MIT
//
// A workbench: one address space with a code buffer, a page of results and a group, to run small
// streams and look at what they did. A bind test asks it to read or write through a mapping; an
// unbind test asks it to prove that the GPU faults.
//
// The bench keeps VAs [kBenchVa, kBenchVa + 512 KiB) for itself; everything else of the space
// belongs to the test. Its group dies with every fault and is made anew at the next use.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "igt_tests/lib/assembler.h"
#include "igt_tests/lib/group.h"

namespace gpu {

inline constexpr uint64_t kBenchVa = 0x0100'0000;
// A good place for mappings of tests: aligned to 1 GiB, far from the bench.
inline constexpr uint64_t kPlay = 4 * kGigabyte;

class Bench {
 public:
  explicit Bench(const Device& device);
  // Everything different from the default: the range of the space, where the bench lies in it, the
  // group.
  Bench(const Device& device, uint64_t user_va_range, uint64_t bench_va, GroupShape shape);

  const Device& device() const { return *device_; }
  Vm& vm() { return vm_; }
  Group& group();
  void drop_group() { group_.reset(); }

  // Copies a stream to the code buffer. Older streams there are overwritten after some 250 KiB.
  Stream place(const Assembler& stream);
  // A stream that copies the word at `from` to a result word, which is cleared here.
  Stream place_copy(uint32_t word, uint64_t from);
  // Runs a stream on queue 0 to its end; returns 1 or the negative errno of its fence.
  int run(const Assembler& stream);
  void run_ok(const Assembler& stream);

  // The result page: 16384 words that streams may store to; run() does not clear them.
  uint64_t result_va(uint32_t word) const { return results_va_ + word * sizeof(uint32_t); }
  uint32_t result(uint32_t word) { return results_.words()[word]; }
  void set_result(uint32_t word, uint32_t value) { results_.words()[word] = value; }

  // By the GPU, through whatever is mapped at `va`.
  uint32_t load32(uint64_t va);
  void store32(uint64_t va, uint32_t value);
  // The first word of each of `pages` pages from `va` on, and the opposite: base, base + 1, ...
  std::vector<uint32_t> load_tags(uint64_t va, uint32_t pages);
  void store_tags(uint64_t va, uint32_t pages, uint32_t base);

  // Each ends the group by a fault at `va` and checks how it ended.
  void expect_load_fault(uint64_t va);
  void expect_store_fault(uint64_t va);
  void expect_fetch_fault(uint64_t va);
  // The same for any stream.
  void expect_fatal(const Assembler& stream);
  void expect_fatal_at(Stream stream);

 private:
  const Device* device_;
  GroupShape shape_;
  uint64_t code_va_;
  uint64_t results_va_;
  Vm vm_;
  Bo code_;
  Bo results_;
  std::optional<Group> group_;
  uint32_t next_code_ = 0;
};

// Holds back whatever waits for its fence until it is opened, for 5 s at most (then the driver ends
// its job with an error, and the fence signals). When it goes, the fence signals as well.
//
// A second queue of its group opens it, not a write of the host: a driver is free to take a group
// that only waits off the GPU, and need not look at its memory before the GPU says that a sync
// object has changed.
class Gate {
 public:
  explicit Gate(const Device& device) : Gate(device, {}) {}
  // Its 5 s begin when `before` lets its job start.
  Gate(const Device& device, Syncs before);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  const Syncobj& fence() const { return fence_; }
  void open();
  // Opens it and waits until its fence has signalled without error.
  void open_and_finish();

 private:
  Vm vm_;
  Bo memory_;
  Group group_;
  Syncobj fence_;
  uint32_t opener_bytes_ = 0;
};

// A stream that runs until told to stop: in each round it loads the word at `touched_va`, counts,
// and looks at its control words, which lie in an uncached mapping.
struct Heartbeat {
  static constexpr uint32_t kStop = 0;     // the host writes 1 here
  static constexpr uint32_t kRounds = 4;   // rounds so far
  static constexpr uint32_t kSeen = 5;     // the last word loaded
  static constexpr uint32_t kStarted = 6;  // 1 from the first round on

  static Assembler stream(uint64_t control_va, uint64_t touched_va);
};

}  // namespace gpu
