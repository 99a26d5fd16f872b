// SPDX-License-Identifier: MIT
//
// What the driver puts into a ring for one job: caches made current, the client's stream called,
// and at the end the queue's sync object counted up by one, which is how the host hears of it
// (panthor-uapi.md E.2). A job that fails leaves no error behind for the next one. Of a profiled
// job, counters are stored before and after the client's stream.
//
// A value; allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/types.h"
#include "driver/csf/profiling.h"

namespace pantry::driver {

// The last registers of a stream, which clients know to be the driver's.
inline constexpr std::uint32_t kOwnRegisters = 4;

struct JobStreamArgs {
  GpuVa stream;             // the client's, 64-byte aligned
  std::uint32_t bytes = 0;  // of it, not 0
  std::uint32_t flush_id =
      0;              // what the client read when it last knew the caches to be clean; 0: flush
  GpuVa sync_object;  // of the queue
  std::uint32_t registers = 0;    // of a stream: 96
  std::uint32_t scoreboards = 0;  // of a stream: 8
  Profiling profiling = Profiling::kOff;
  GpuVa profile{};  // a slot of ProfileSlots, unless kOff
};

// The padding to a cache line included: 16, or 24 with both counters.
constexpr std::uint32_t job_instructions(Profiling profiling) {
  const std::uint32_t counters = notes_cycles(profiling) + notes_time(profiling);
  return (11 + 4 * counters + 7) / 8 * 8;
}

class JobStream {
 public:
  static constexpr std::uint32_t kFewestBytes = job_instructions(Profiling::kOff) * 8;

  explicit JobStream(const JobStreamArgs& args);
  std::span<const std::uint64_t> words() const { return std::span(words_).first(size_); }

 private:
  std::array<std::uint64_t, job_instructions(Profiling::kBoth)> words_{};
  std::size_t size_ = 0;
};

}  // namespace pantry::driver
