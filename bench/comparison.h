// SPDX-License-Identifier: MIT
//
// Two ways to do the same, measured in turn, pass by pass, in one run: what slows the machine down
// slows both, and the median of the ratios of the passes says what a ratio of two runs would not.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace pantry::bench {

// One side of a comparison. `pass` picks the pass's random choices, so that both sides make the
// same ones.
class Work {
 public:
  // Not timed, before each run.
  virtual void prepare(std::uint64_t /*pass*/) {}
  // Timed: the operations.
  virtual void run(std::uint64_t pass) = 0;
  // Not timed: undoes run.
  virtual void restore(std::uint64_t /*pass*/) {}

 protected:
  ~Work() = default;
};

struct Contestants {
  Work& ours;
  Work* theirs = nullptr;  // null: not installed, or there is no such thing
  Work* limit = nullptr;   // what no implementation can beat; null: not known
};

// How a benchmark made of compare() is registered: one iteration of Google Benchmark holds all
// passes.
inline void in_one_iteration(benchmark::internal::Benchmark* benchmark) {
  benchmark->Iterations(1)->UseManualTime();
}

// The body of a benchmark: a run of each side holds `operations` operations. Passes are made for
// PANTRY_BENCH_SECONDS (an environment variable; 0.5), and 21 at least. Each timed run
// follows an untimed one with other random choices, which puts the side's code and data where a
// busy driver would find them; the sides take turns in going first. Counters, in nanoseconds per
// operation, medians of all passes: ours_ns, theirs_ns, limit_ns; ratio (theirs / ours, the median
// of the passes' ratios) with its quartiles ratio_q1 and ratio_q3; of_limit (limit / ours). And
// passes.
void compare(benchmark::State& state, std::uint64_t operations, const Contestants& contestants);

}  // namespace pantry::bench
