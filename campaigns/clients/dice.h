// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <random>

// The same numbers from the same seed, with any C++ library.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(static_cast<uint32_t>(seed ^ seed >> 32)) {}
  // 0 .. sides - 1
  uint64_t roll(uint64_t sides) { return engine_() % sides; }
  bool one_in(uint64_t sides) { return roll(sides) == 0; }
  template <class Value, std::size_t kCount>
  Value pick(const Value (&values)[kCount]) {
    return values[roll(kCount)];
  }

 private:
  std::mt19937 engine_;
};
