// SPDX-License-Identifier: MIT
//
// Events that the firmware tells the host through a pair of words: an event is pending while its
// bit differs between acknowledge (ours) and request (the host's); the firmware raises it by
// toggling the acknowledge, the host answers by copying the bit.
//
// A second toggle would take a pending event back, so an event that happens again before the answer
// is kept here and raised after it. That also settles the race in which the host answers, and looks
// at what the event is about, while the firmware still sees the old request: the event comes once
// more, never once too few. It comes only for something that happened, so an answer without news is
// not followed by another interrupt.
//
// A value; no lock, no allocation.
#pragma once

#include <cstdint>

namespace pantry::emu {

class ToggleEvents {
 public:
  void post(std::uint32_t bits) { waiting_ |= bits; }
  void forget() { waiting_ = 0; }
  // What has lost its meaning before it could be raised.
  void drop(std::uint32_t bits) { waiting_ &= ~bits; }
  // Events that wait for the answer to an earlier one, or for raise().
  std::uint32_t waiting() const { return waiting_; }

  // The bits to toggle in the acknowledge now; they do not wait any more.
  std::uint32_t take(std::uint32_t request, std::uint32_t acknowledge) {
    const std::uint32_t answered = waiting_ & ~(request ^ acknowledge);
    waiting_ &= ~answered;
    return answered;
  }

 private:
  std::uint32_t waiting_ = 0;
};

}  // namespace pantry::emu
