// SPDX-License-Identifier: MIT
//
// Chance for one step of a history: the same for the same seed and step, whatever other steps there
// are (splitmix64). So a history can be played without some of its steps.
#pragma once

#include <cstdint>

namespace pantry::campaigns {

class StepDice {
 public:
  StepDice(std::uint64_t seed, std::uint64_t step)
      : state_(seed * 0x9e37'79b9'7f4a'7c15 + step * 0xd1b5'4a32'd192'ed03) {}
  std::uint64_t roll(std::uint64_t below) {
    state_ += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t z = state_;
    z = (z ^ z >> 30) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ z >> 27) * 0x94d0'49bb'1331'11eb;
    return (z ^ z >> 31) % below;
  }
  bool one_in(std::uint64_t n) { return roll(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace pantry::campaigns
