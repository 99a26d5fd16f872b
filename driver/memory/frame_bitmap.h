// SPDX-License-Identifier: MIT
//
// One bit per frame, set and cleared in runs a word at a time. Allocates in the constructor only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pantry::driver {

class FrameBitmap {
 public:
  explicit FrameBitmap(std::uint64_t frames) : words_((frames + 63) / 64) {}

  bool test(std::uint64_t frame) const { return words_[frame / 64] >> (frame % 64) & 1; }
  // Both return false, and the bitmap is then of no more use, unless every bit of the run was the
  // other way before.
  bool set(std::uint64_t first, std::uint64_t count) {
    return for_run(first, count, [](std::uint64_t& word, std::uint64_t bits) {
      const bool clean = (word & bits) == 0;
      word |= bits;
      return clean;
    });
  }
  bool clear(std::uint64_t first, std::uint64_t count) {
    return for_run(first, count, [](std::uint64_t& word, std::uint64_t bits) {
      const bool clean = (word & bits) == bits;
      word &= ~bits;
      return clean;
    });
  }

 private:
  template <class Change>
  bool for_run(std::uint64_t first, std::uint64_t count, Change change) {
    bool clean = true;
    while (count != 0) {
      // The part of the run in one word: from 70, of 100: bits 6 to 63 of word 1.
      const std::uint64_t bit = first % 64;
      const std::uint64_t here = std::min<std::uint64_t>(64 - bit, count);
      clean &= change(words_[first / 64], ~std::uint64_t{0} >> (64 - here) << bit);
      first += here;
      count -= here;
    }
    return clean;
  }

  std::vector<std::uint64_t> words_;
};

}  // namespace pantry::driver
