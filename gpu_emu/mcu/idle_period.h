// SPDX-License-Identifier: MIT
//
// How long something has been idle, and whether the host knows: it is told once per idle period,
// when the period has lasted as long as the idle timer says. A value; no lock, no allocation.
#pragma once

#include "base/types.h"

namespace pantry::emu {

class IdlePeriod {
 public:
  bool is_idle() const { return is_idle_; }
  TimePoint since() const { return since_; }
  bool is_reported() const { return is_reported_; }

  void busy() { *this = {}; }
  // Goes on when it had begun before.
  void idle(TimePoint now) {
    if (is_idle_) return;
    is_idle_ = true;
    since_ = now;
  }
  // When the host is to be told, never() if it is not.
  TimePoint deadline(Duration idle_timer) const {
    return is_idle_ && !is_reported_ ? since_ + idle_timer : TimePoint::never();
  }
  void reported() { is_reported_ = true; }

 private:
  TimePoint since_;
  bool is_idle_ = false;
  bool is_reported_ = false;
};

}  // namespace pantry::emu
