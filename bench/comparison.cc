// SPDX-License-Identifier: MIT
#include "bench/comparison.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <vector>

namespace pantry::bench {
namespace {

using Clock = std::chrono::steady_clock;

double ns_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double, std::nano>(end - start).count();
}

// q: 0.5 is the median.
double quantile(std::vector<double> values, double q) {
  const auto at = values.begin() +
                  static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// So many that a median means something on a machine that has other things to do.
constexpr std::uint64_t kLeastPasses = 21;

double wanted_seconds() {
  const char* const text = std::getenv("PANTRY_BENCH_SECONDS");
  return text ? std::strtod(text, nullptr) : 0.5;
}

// What reading the clock twice adds to a time.
double clock_ns() {
  static const double cost = [] {
    std::vector<double> times;
    for (int i = 0; i < 1001; ++i) {
      const Clock::time_point start = Clock::now();
      times.push_back(ns_between(start, Clock::now()));
    }
    return quantile(times, 0.5);
  }();
  return cost;
}

double timed(Work& work, std::uint64_t pass) {
  work.prepare(2 * pass);
  work.run(2 * pass);
  work.restore(2 * pass);
  work.prepare(2 * pass + 1);
  const Clock::time_point start = Clock::now();
  work.run(2 * pass + 1);
  const Clock::time_point end = Clock::now();
  work.restore(2 * pass + 1);
  return std::max(ns_between(start, end) - clock_ns(), 0.5);
}

}  // namespace

void compare(benchmark::State& state, std::uint64_t operations, const Contestants& contestants) {
  const std::array<Work*, 3> sides{&contestants.ours, contestants.theirs, contestants.limit};
  std::array<std::vector<double>, sides.size()> times;
  for (auto _ : state) {
    const Clock::time_point start = Clock::now();
    std::uint64_t pass = 0;
    double seconds = 0;
    for (; pass < kLeastPasses || seconds < wanted_seconds(); ++pass) {
      for (std::size_t turn = 0; turn < sides.size(); ++turn) {
        const std::size_t side = (pass + turn) % sides.size();
        if (sides[side])
          times[side].push_back(timed(*sides[side], pass) / static_cast<double>(operations));
      }
      seconds = ns_between(start, Clock::now()) * 1e-9;
    }
    state.counters["passes"] = static_cast<double>(pass);
    state.SetIterationTime(seconds);
  }

  const auto ratios = [&](std::size_t above, std::size_t below) {
    std::vector<double> values(times[below].size());
    std::transform(times[above].begin(), times[above].end(), times[below].begin(), values.begin(),
                   [](double a, double b) { return a / b; });
    return values;
  };
  state.counters["ours_ns"] = quantile(times[0], 0.5);
  if (sides[1]) {
    state.counters["theirs_ns"] = quantile(times[1], 0.5);
    state.counters["ratio"] = quantile(ratios(1, 0), 0.5);
    state.counters["ratio_q1"] = quantile(ratios(1, 0), 0.25);
    state.counters["ratio_q3"] = quantile(ratios(1, 0), 0.75);
  }
  if (sides[2]) {
    state.counters["limit_ns"] = quantile(times[2], 0.5);
    state.counters["of_limit"] = quantile(ratios(2, 0), 0.5);
  }
}

}  // namespace pantry::bench
