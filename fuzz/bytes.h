// SPDX-License-Identifier: MIT
//
// A seed in the making: what a fuzzer's Input takes, put one piece after the other.
#pragma once

#include <cstdint>
#include <string>

#include "fuzz/number.h"
#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::fuzz {

class Bytes {
 public:
  Bytes& byte(unsigned value) {
    text_ += static_cast<char>(value);
    return *this;
  }
  template <class Word>
  Bytes& word(Word value) {
    for (std::size_t n = 0; n < sizeof value; ++n)
      byte(static_cast<unsigned>(value >> 8 * n & 0xff));
    return *this;
  }
  template <datasheet::isa::InstructionType... I>
  Bytes& words(const I&... instructions) {
    (word(datasheet::isa::encode(instructions)), ...);
    return *this;
  }
  // As take_number() reads it.
  Bytes& number(std::uint64_t value) {
    put_number(value, [&](std::uint8_t part) { byte(part); });
    return *this;
  }
  Bytes& append(const Bytes& more) {
    text_ += more.text_;
    return *this;
  }
  Bytes& zeros(std::size_t count) {
    text_.append(count, '\0');
    return *this;
  }
  const std::string& text() const { return text_; }
  std::size_t size() const { return text_.size(); }

 private:
  std::string text_;
};

}  // namespace pantry::fuzz
