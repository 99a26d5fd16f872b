// SPDX-License-Identifier: MIT
#include "driver/sync/derived_fence.h"

namespace pantry::driver {
namespace {

struct Turns {
  unsigned depth = 0;
  DerivedFence* first = nullptr;
  DerivedFence* last = nullptr;
};
thread_local constinit Turns turns;

}  // namespace

void DerivedFence::signal_in_turn(TimePoint now, int error) noexcept {
  if (!try_acquire()) return;
  turn_time_ = now;
  turn_error_ = error;
  const SignalLoop loop;
  SignalLoop::append(*this);
}

SignalLoop::SignalLoop() noexcept { ++turns.depth; }

SignalLoop::~SignalLoop() {
  if (turns.depth == 1) drain();
  --turns.depth;
}

void SignalLoop::append(DerivedFence& fence) noexcept {
  (turns.last ? turns.last->next_in_turn_ : turns.first) = &fence;
  turns.last = &fence;
}

void SignalLoop::drain() noexcept {
  while (DerivedFence* const fence = turns.first) {
    turns.first = fence->next_in_turn_;
    if (!turns.first) turns.last = nullptr;
    fence->next_in_turn_ = nullptr;
    fence->signal(fence->turn_time_, fence->turn_error_);
    fence->after_signal();
    fence->release();
  }
}

}  // namespace pantry::driver
