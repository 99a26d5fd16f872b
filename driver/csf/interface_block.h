// SPDX-License-Identifier: MIT
//
// One block of words in memory that driver and firmware share: an input, output or control block of
// the interface, or a page of a queue. Loads acquire and stores release, word by word, so whatever
// was written before a request or an event is seen by the side that reads it.
//
// A view: the memory is somebody else's. No lock: each word has one writer, or its writers agree on
// a lock of their own. Allocates nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "gpu_emu/datasheet/offset.h"

namespace pantry::driver {

class InterfaceBlock {
 public:
  using Offset = datasheet::Offset;

  InterfaceBlock() = default;
  // `start` is aligned to the widest field that is used.
  explicit InterfaceBlock(void* start) : start_(static_cast<std::byte*>(start)) {}

  std::uint32_t load(Offset field) const {
    return word<std::uint32_t>(field).load(std::memory_order_acquire);
  }
  void store(Offset field, std::uint32_t value) {
    word<std::uint32_t>(field).store(value, std::memory_order_release);
  }
  std::uint64_t load64(Offset field) const {
    return word<std::uint64_t>(field).load(std::memory_order_acquire);
  }
  void store64(Offset field, std::uint64_t value) {
    word<std::uint64_t>(field).store(value, std::memory_order_release);
  }

 private:
  template <class Word>
  std::atomic_ref<Word> word(Offset field) const {
    PANTRY_CHECK(start_ != nullptr && field % sizeof(Word) == 0);
    return std::atomic_ref<Word>(*reinterpret_cast<Word*>(start_ + field));
  }

  std::byte* start_ = nullptr;
};

// A request word of the host's with the acknowledge of the firmware's that answers it. A toggled
// bit asks while it differs from the acknowledge; events run the other way round.
//
// Requests are always computed from the acknowledge ("ack with the bit inverted"), never by
// flipping the request: a request that was lost in a reset cannot turn into its opposite.
class RequestWord {
 public:
  RequestWord() = default;
  RequestWord(InterfaceBlock input, InterfaceBlock::Offset request, InterfaceBlock output,
              InterfaceBlock::Offset acknowledge)
      : input_(input), output_(output), request_(request), acknowledge_(acknowledge) {}

  std::uint32_t request() const { return input_.load(request_); }
  std::uint32_t acknowledge() const { return output_.load(acknowledge_); }
  // The bits in which they differ: requests that are not answered yet, or events.
  std::uint32_t differing() const { return request() ^ acknowledge(); }

  // The bits of `mask` become those of `value`. The caller serialises the writers.
  void set(std::uint32_t value, std::uint32_t mask) {
    input_.store(request_, (request() & ~mask) | (value & mask));
  }
  // Asks anew for each bit of `mask`.
  void ask(std::uint32_t mask) { set(~acknowledge(), mask); }
  // Answers the events of `mask` as `acknowledge` has them.
  void answer(std::uint32_t acknowledge, std::uint32_t mask) { set(acknowledge, mask); }

 private:
  InterfaceBlock input_;
  InterfaceBlock output_;
  InterfaceBlock::Offset request_ = 0;
  InterfaceBlock::Offset acknowledge_ = 0;
};

}  // namespace pantry::driver
