// SPDX-License-Identifier: MIT
//
// The dozen instructions of the Mali CSF (v10) that a copying client needs, as 64-bit words.
// Registers are 32 bits, r0..r95; addresses lie in an even one and the next. The last four belong
// to the driver. Grows as it is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace example {

class CommandStream {
 public:
  const std::vector<uint64_t>& words() const { return words_; }
  size_t size_bytes() const { return words_.size() * sizeof(uint64_t); }
  size_t here() const { return words_.size(); }

  CommandStream& address(unsigned reg, uint64_t va) {
    return word(kMove48, at(48, reg) | (va & 0xFFFF'FFFF'FFFF));
  }
  CommandStream& number(unsigned reg, uint32_t value) { return word(kMove32, at(48, reg) | value); }
  CommandStream& add32(unsigned reg, int32_t value) {
    return word(kAddImmediate32, at(48, reg) | at(40, reg) | static_cast<uint32_t>(value));
  }
  CommandStream& add64(unsigned reg, int32_t value) {
    return word(kAddImmediate64, at(48, reg) | at(40, reg) | static_cast<uint32_t>(value));
  }
  // `count` registers from or to memory; done when wait() has passed.
  CommandStream& load(unsigned reg, unsigned count, unsigned address_reg, uint16_t offset) {
    return word(kLoadMultiple, at(48, reg) | at(40, address_reg) | mask(count) | offset);
  }
  CommandStream& store(unsigned reg, unsigned count, unsigned address_reg, uint16_t offset) {
    return word(kStoreMultiple, at(48, reg) | at(40, address_reg) | mask(count) | offset);
  }
  CommandStream& wait() { return word(kWait, at(16, 0xFF)); }
  // Back to `target` while the register is greater than 0, or while it is 0.
  CommandStream& back_if_positive(unsigned reg, size_t target) { return back(1, reg, target); }
  CommandStream& back_if_zero(unsigned reg, size_t target) { return back(2, reg, target); }
  // Everything stored is in memory, where the CPU sees it. Uses r70.
  CommandStream& publish() {
    constexpr uint64_t kCleanAndInvalidate = 3;
    constexpr uint64_t kInvalidate = 2;
    wait().number(70, 0);
    word(kFlushCache2, at(48, 1) | at(40, 70) | at(8, kInvalidate) | at(4, kCleanAndInvalidate) |
                           kCleanAndInvalidate);
    return wait();
  }

  // Copies lines of 64 bytes. Uses r0..r15 and r20..r24.
  CommandStream& copy(uint64_t to, uint64_t from, uint64_t bytes) {
    address(20, from).address(22, to).number(24, static_cast<uint32_t>(bytes / 64));
    const size_t loop = here();
    load(0, 16, 20, 0).wait().store(0, 16, 22, 0).wait();
    return add64(20, 64).add64(22, 64).add32(24, -1).back_if_positive(24, loop);
  }

 private:
  enum Opcode : uint64_t {
    kMove48 = 1,
    kMove32 = 2,
    kWait = 3,
    kAddImmediate32 = 16,
    kAddImmediate64 = 17,
    kLoadMultiple = 20,
    kStoreMultiple = 21,
    kBranch = 22,
    kFlushCache2 = 36,
  };

  static constexpr uint64_t at(unsigned bit, uint64_t value) { return value << bit; }
  static constexpr uint64_t mask(unsigned count) { return at(16, (uint64_t{1} << count) - 1); }

  CommandStream& word(Opcode opcode, uint64_t fields) {
    words_.push_back(opcode << 56 | fields);
    return *this;
  }
  // Distances count from the word behind the branch: to itself is -1.
  CommandStream& back(uint64_t condition, unsigned reg, size_t target) {
    const auto distance = static_cast<uint16_t>(target - here() - 1);
    return word(kBranch, at(40, reg) | at(28, condition) | distance);
  }

  std::vector<uint64_t> words_;
};

}  // namespace example
