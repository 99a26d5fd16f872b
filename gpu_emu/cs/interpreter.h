// SPDX-License-Identifier: MIT
//
// Executes command streams, an instruction at a time, until one cannot go on.
//
// It knows nothing of the firmware interface: who started a stream, and what becomes of its faults
// and events, is the caller's business (mcu/). Invariants: an instruction that stalls or blocks has
// changed nothing and is executed again by the next run; instructions are decoded as they are met,
// since streams change under our hands. Single-threaded, under the device's lock; only log lines
// allocate.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "gpu_emu/cs/execution.h"

namespace pantry::emu {

class Interpreter {
 public:
  // How often run() asks DeviceServices::yield_requested(), in instructions.
  static constexpr std::uint32_t kYieldInterval = 64;

  // References are kept.
  Interpreter(const Quirks& quirks, GpuMemory& memory, DeviceServices& services,
              StreamPolicy policy);

  struct Result {
    StreamStop stop = StreamStop::kLimit;
    std::uint32_t executed = 0;  // instructions that were completed
  };

  // Completes what is due at `now`, then executes at most `limit` instructions (of which the limit
  // must allow one). `extract`, when not null, is the host's EXTRACT word: it is kept up to date at
  // job-sized boundaries (64 bytes) and on return. Pre: the stream is neither faulted nor dead.
  Result run(Stream& stream, const StreamPeers& peers, std::uint64_t* extract, std::uint32_t limit,
             TimePoint now);

 private:
  Result run_instructions(Execution& run, std::uint64_t* extract, std::uint32_t limit);
  // Where a stream goes on after a fault.
  enum class AfterFault : std::uint8_t { kSameInstruction, kNextInstruction };
  StreamStop stop_at(Execution& run, Step step, AfterFault after_fault);
  void publish(const Stream& stream, std::uint64_t* extract) const;

  const Quirks& quirks_;
  GpuMemory& memory_;
  DeviceServices& services_;
  StreamPolicy policy_;
  LoggedGaps logged_gaps_ = 0;
  LoggedGaps logged_unknowns_ = 0;
};

}  // namespace pantry::emu
