// SPDX-License-Identifier: MIT
//
// The global blocks: requests that concern the whole firmware, the timers, and the global idle
// event. What the groups are asked is in csg_slot.h; this class only says which of them were.
//
// Called with the device's lock held. No allocation.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "gpu_emu/mcu/firmware_env.h"
#include "gpu_emu/mcu/toggle_events.h"

namespace pantry::emu {

class GlobalInterface {
 public:
  explicit GlobalInterface(FirmwareEnv& env);

  // Nothing is pending afterwards; settings are forgotten.
  void boot();
  // Acknowledges what needs no work and takes the settings over.
  void answer();

  // HALT went from 0 to 1 since the last acknowledge_halt() or boot().
  bool is_halt_requested() const;
  void acknowledge_halt();

  // Bit per group slot whose requests are to be looked at, and: they have been.
  std::uint32_t group_bells() const;
  void acknowledge_groups(std::uint32_t groups);

  void post_idle();
  void raise_events();

  bool is_idle_event_wanted() const { return is_idle_event_wanted_; }
  Duration idle_timer() const { return idle_timer_; }
  // 0: off.
  Duration progress_timer() const { return progress_timer_; }
  // How long endpoints without work keep their power.
  Duration poweroff_timer() const { return poweroff_timer_; }

 private:
  void store_ack(std::uint32_t ack);
  void switch_counters(std::uint32_t request);
  void take_cores(std::uint64_t mask);

  FirmwareEnv& env_;
  SharedBlock input_;
  SharedBlock output_;
  ToggleEvents events_;
  std::uint32_t ack_ = 0;
  std::uint32_t doorbell_ack_ = 0;
  std::uint32_t logged_gaps_ = 0;  // bits of GLB_REQ
  bool was_halt_requested_ = false;
  bool is_idle_event_wanted_ = false;
  Duration idle_timer_;
  Duration progress_timer_;
  Duration poweroff_timer_;
};

}  // namespace pantry::emu
