// SPDX-License-Identifier: MIT
//
// The firmware behind its face (firmware.h): boots, halts, hands requests to the global interface
// and the group slots, and shares the budget of a run among the streams that are ready.
//
// Everything that waits is found again without being remembered elsewhere: requests by comparing
// the words of the shared section, streams by their place in the run queue, times by looking at
// what is in flight. Called with the device's lock held; all memory is part of this object.
#pragma once

#include <array>
#include <cstdint>

#include "gpu_emu/cs/interpreter.h"
#include "gpu_emu/mcu/csg_slot.h"
#include "gpu_emu/mcu/firmware_dump.h"
#include "gpu_emu/mcu/firmware_env.h"
#include "gpu_emu/mcu/global_interface.h"
#include "gpu_emu/mcu/idle_period.h"
#include "gpu_emu/ports.h"

namespace pantry::emu {

class FirmwareCore {
 public:
  FirmwareCore(const Quirks& quirks, GpuMemory& memory, DeviceServices& services,
               StreamPolicy policy, const FirmwareModel& model);

  void attach(Misbehaviour& misbehaviour) { env_.misbehaviour = &misbehaviour; }
  void start();
  void stop();
  void doorbell(std::uint32_t page);
  RunState run(std::uint32_t budget, TimePoint now);
  FirmwareDump dump() const;
  std::uint32_t address_spaces_in_use() const;

 private:
  enum class Phase : std::uint8_t { kOff, kBooting, kRunning, kHalted, kFatal, kHung };

  void boot();
  void misbehave(std::uint32_t page);
  void give_up(const char* why);
  // Opens the shared section for this run; kStalled: not in this run.
  Progress open_section();
  // kStalled: some of them wait for memory.
  Progress answer_requests();
  Progress halt();
  void forget_groups();
  void wake_what_is_due();
  // Up to now.
  void let_endpoints_work();
  void execute(std::uint32_t budget);
  void look_at_timers();
  void look_at_idleness();
  // Endpoints have power while there is work for them, and as long after it as the host says.
  void look_at_power();
  void power(std::uint64_t cores);
  TimePoint poweroff_deadline() const;
  void flush_interrupts();
  RunState state_after_run();

  template <class Visit>
  void for_each_stream(Visit visit) const;

  Quirks quirks_;
  FirmwareEnv env_;
  Interpreter interpreter_;
  GlobalInterface global_;
  std::array<CsgSlot, kGroupSlots> groups_;
  Phase phase_ = Phase::kOff;
  bool has_requests_ = false;  // doorbell 0 was rung
  TimePoint answers_from_;     // looks at no request before
  bool is_section_stalled_ = false;
  TimePoint boot_since_;
  TimePoint next_poll_;
  IdlePeriod idle_;            // of all groups
  IdlePeriod idle_endpoints_;  // of all of them together
  std::uint64_t powered_ = 0;  // shader cores; the tilers with them
  std::uint64_t instructions_ = 0;
};

}  // namespace pantry::emu
