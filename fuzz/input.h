// SPDX-License-Identifier: MIT
//
// The bytes that a fuzzer made up, taken one piece after the other; zeros when they have run out,
// so that every input means something. Little-endian.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace pantry::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t bytes) : rest_(data, bytes) {}

  bool is_over() const { return rest_.empty(); }
  template <class Word>
  Word take() {
    Word word{};
    const std::size_t bytes = std::min(sizeof word, rest_.size());
    std::memcpy(&word, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
    return word;
  }
  // 0 to limit - 1.
  std::uint8_t below(std::uint8_t limit) {
    return static_cast<std::uint8_t>(take<std::uint8_t>() % limit);
  }
  std::span<const std::uint8_t> rest() const { return rest_; }

 private:
  std::span<const std::uint8_t> rest_;
};

}  // namespace pantry::fuzz
