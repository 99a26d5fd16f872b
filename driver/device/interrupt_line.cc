// SPDX-License-Identifier: MIT
#include "driver/device/interrupt_line.h"

#include "base/check.h"

namespace pantry::driver {

InterruptLine::~InterruptLine() {
  PANTRY_CHECK(handler_.load() == nullptr);
  lane_.cancel(*this);
}

void InterruptLine::attach(InterruptHandler& handler) {
  PANTRY_CHECK(handler_.load() == nullptr);
  handler_.store(&handler);
  if (level_.load()) lane_.queue(*this);
}

void InterruptLine::detach() {
  handler_.store(nullptr);
  lane_.cancel(*this);
}

void InterruptLine::set(bool level) {
  level_.store(level);
  if (level && handler_.load() != nullptr) lane_.queue(*this);
}

void InterruptLine::run() {
  InterruptHandler* const handler = handler_.load();
  if (!handler || !level_.load()) return;
  handler->handle_interrupt();
  // A level that stays high is no new edge for set().
  if (level_.load()) lane_.queue(*this);
}

}  // namespace pantry::driver
