// SPDX-License-Identifier: MIT
//
// GPU_CONTROL but for interrupts, power and the MCU's switch: identity, COMMAND, STATUS, the fault
// latch, the counters of time and cycles, and the flush id that clients read.
//
// One command that takes time (a reset, a cache flush) is in progress at a time; another one is the
// driver's mistake and is lost. LATEST_FLUSH survives resets, since clients hold values of it.
//
// State of the device, under its lock. Nothing here allocates after construction.
#pragma once

#include <cstdint>
#include <optional>

#include "base/types.h"
#include "gpu_emu/datasheet/gpu_control_fields.h"
#include "gpu_emu/datasheet/model.h"
#include "gpu_emu/misbehaviour.h"
#include "gpu_emu/mmio/device_clock.h"
#include "gpu_emu/mmio/irq_block.h"
#include "gpu_emu/mmio/register_file.h"
#include "gpu_emu/mmu/gpu_memory.h"
#include "gpu_emu/ports.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

// The device as far as GPU_COMMAND and GPU_STATUS reach over it.
class WholeDevice {
 public:
  // Every block goes back to its power-on state, interrupts and this one included.
  virtual void reset_device(datasheet::gpu_control::ResetMode mode) = 0;
  // GPU_STATUS as far as other blocks make it up.
  virtual std::uint32_t block_status() = 0;

 protected:
  ~WholeDevice() = default;
};

class GpuControl final : private RegisterHandler {
 public:
  // Declares its registers in `file`. All references outlive the block.
  GpuControl(const datasheet::GpuModel& model, const Quirks& quirks, UserPage page,
             RegisterFile& file, IrqBlock& irq, WholeDevice& device, DeviceClock& clock);
  GpuControl(const GpuControl&) = delete;
  GpuControl& operator=(const GpuControl&) = delete;

  // Once, before the first register access.
  void attach(Misbehaviour& misbehaviour) { misbehaviour_ = &misbehaviour; }

  // Ends the command whose time has come; when the present one will end, or never().
  TimePoint advance(TimePoint now);
  // All but LATEST_FLUSH and a reset in progress.
  void reset();

  std::uint64_t timestamp() const;
  // Of the time in which GPU_COMMAND or the firmware wanted it counted.
  std::uint64_t cycle_count() const;
  enum class Counting : std::uint8_t { kStopped, kRunning };
  void count_for_firmware(Counting counting);
  std::uint32_t latest_flush() const { return latest_flush_; }
  // One more cache flush is complete. Never 0, which means "always flush" to a client.
  void advance_latest_flush();
  // Writes LATEST_FLUSH to the page that clients map. The driver has its own value there while the
  // GPU is suspended.
  void publish_latest_flush();

  // GPU_FAULT_STATUS: the first fault stays until its interrupt or, with CLEAR_FAULT, it itself is
  // cleared.
  void latch_bus_fault(PhysAddr address, Access access, AsIndex as);

 private:
  using CommandType = datasheet::gpu_control::CommandType;
  struct InProgress {
    CommandType type = CommandType::kNop;
    TimePoint done;
  };

  std::uint32_t read_register(std::uint32_t offset) override;
  void write_register(std::uint32_t offset, std::uint32_t value) override;
  std::uint64_t read_whole(std::uint32_t offset);
  void declare_identity(RegisterFile& file);
  void declare_plain(RegisterFile& file);
  void command(std::uint32_t word);
  void start(CommandType type, Duration time);
  void finish();
  std::uint32_t status() const;
  Counting counting() const;
  void settle_cycles();

  const datasheet::GpuModel model_;
  const Quirks quirks_;
  const UserPage page_;
  IrqBlock& irq_;
  WholeDevice& device_;
  DeviceClock& clock_;
  Misbehaviour* misbehaviour_ = nullptr;

  std::optional<InProgress> in_progress_;
  std::uint32_t fault_status_ = 0;
  PhysAddr fault_address_;
  std::uint64_t timestamp_offset_ = 0;
  Counting commanded_ = Counting::kStopped;
  Counting firmware_ = Counting::kStopped;
  TimePoint counting_since_;
  std::uint64_t cycles_ = 0;  // until counting_since_
  enum class Protection : std::uint8_t { kOff, kOn } protection_ = Protection::kOff;
  std::uint32_t latest_flush_ = 1;
};

}  // namespace pantry::emu
