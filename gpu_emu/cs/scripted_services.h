// SPDX-License-Identifier: MIT
//
// For tests: a device around the firmware and the streams whose time, counters and interrupts are
// plain variables. Not thread-safe.
#pragma once

#include <cstdint>

#include "gpu_emu/cs/device_services.h"

namespace pantry::emu {

class ScriptedServices final : public DeviceServices {
 public:
  void raise_job_interrupt(std::uint32_t bits) override {
    rawstat |= bits;
    ++interrupts;
  }
  void set_mcu_status(McuStatus status) override { mcu_status = status; }
  std::uint64_t timestamp() override { return timestamp_value; }
  std::uint64_t cycle_count() override { return cycle_value; }
  void set_counters(Counters to) override { counters = to; }
  void power_endpoints(std::uint64_t cores, std::uint64_t tilers) override {
    powered_cores = cores;
    powered_tilers = tilers;
  }
  std::uint32_t latest_flush() override { return flush_id; }
  void complete_cache_flush() override { flush_id = flush_id == 0xff'ffff ? 1 : flush_id + 1; }
  TimePoint now() override { return time; }
  bool yield_requested() override { return yield; }

  // JOB_INT_RAWSTAT, read and cleared.
  std::uint32_t take_interrupts() {
    const std::uint32_t bits = rawstat;
    rawstat = 0;
    return bits;
  }

  std::uint32_t rawstat = 0;
  std::uint64_t interrupts = 0;  // calls of raise_job_interrupt
  McuStatus mcu_status = McuStatus::kDisabled;
  std::uint64_t timestamp_value = 1000;
  std::uint64_t cycle_value = 2000;
  Counters counters = Counters::kOff;
  std::uint64_t powered_cores = 0;
  std::uint64_t powered_tilers = 0;
  std::uint32_t flush_id = 1;
  TimePoint time{1'000'000'000};
  bool yield = false;
};

}  // namespace pantry::emu
