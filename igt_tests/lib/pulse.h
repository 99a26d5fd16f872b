// SPDX-License-Identifier: MIT
//
// The memory of one heartbeat (bench.h): its stream and its control words in one buffer of two
// pages, at `va` and `va` + 4 KiB of whichever space it is mapped into. The job beats as long as it
// runs, so the control words show whether it does. Told to stop when the object goes.
#pragma once

#include <cstdint>

#include "igt_tests/lib/bench.h"

namespace gpu {

class Pulse {
 public:
  // Each round reads its own stream's first word.
  Pulse(const Device& device, uint64_t va);
  Pulse(const Device& device, uint64_t va, uint64_t touched_va);
  ~Pulse() { stop(); }
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  void map_into(Vm& vm) const;
  const Bo& memory() const { return memory_; }
  Stream stream() const { return {va_, size_}; }

  uint32_t rounds() { return control(Heartbeat::kRounds); }
  // What the last round read.
  uint32_t seen() { return control(Heartbeat::kSeen); }
  void stop();

  // Each fails the test when it takes longer than kPatience. Silence is no beat for 40 ms.
  void expect_start();
  void expect_beat();
  void expect_silence();

 private:
  volatile uint32_t& control(uint32_t word);

  uint64_t va_;
  uint32_t size_ = 0;
  Bo memory_;
};

}  // namespace gpu
