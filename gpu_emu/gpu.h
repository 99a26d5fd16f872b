// SPDX-License-Identifier: MIT
//
// The device: an emulated Mali CSF GPU, reached through its registers, DRAM and interrupt lines
// alone. It has no thread: it moves when a host calls run(), and in register accesses.
//
// All state is under one lock, taken by run() and by each register access. An access that waits
// makes run() leave within 64 instructions, and goes first; but after kPatience accesses in a row a
// run() that waits has its turn, so that a driver that polls without a pause does not stop the
// device. With the lock held the device calls its ports (ports.h), which must not call back.
//
// Allocates while it is built, for log lines, and in dump().
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "gpu_emu/cs/device_services.h"
#include "gpu_emu/cs/stream_policy.h"
#include "gpu_emu/datasheet/model.h"
#include "gpu_emu/gpu_control.h"
#include "gpu_emu/mcu/firmware.h"
#include "gpu_emu/misbehaviour.h"
#include "gpu_emu/mmio/irq_block.h"
#include "gpu_emu/mmio/register_file.h"
#include "gpu_emu/mmu/mmu.h"
#include "gpu_emu/ports.h"
#include "gpu_emu/power_domain.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

// A read-only picture of the device, for reports and tests.
struct GpuDump {
  struct Interrupt {
    std::uint32_t rawstat = 0;
    std::uint32_t mask = 0;
  };
  Interrupt gpu, job, mmu;
  std::vector<AddressSpaceDump> address_spaces;  // those that are present
  Mmu::Counters mmu_counters;
  FirmwareDump firmware;
  std::uint64_t l2_ready = 0;
  std::uint32_t latest_flush = 0;
  std::uint64_t resets = 0;
  // Of these, how many came while the firmware ran, or after it had been stopped without a HALT:
  // not those of a driver that suspends the device.
  std::uint64_t recoveries = 0;
  RegisterFile::Misses misses;
};

class Gpu final : public Mmio,
                  private DeviceServices,
                  private DeviceClock,
                  private BusFaults,
                  private AddressSpaceUsers,
                  private WholeDevice,
                  private RegisterHandler {
 public:
  // Powered off, as a board presents it at boot. The ports outlive the device; only frame_owner may
  // be null. `policy` is kAll but in builds that test a driver against a device without effects.
  Gpu(const datasheet::GpuModel& model, const Quirks& quirks, const HostPorts& ports,
      StreamPolicy policy);
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  // Lets `watch` see what the MMU does (mmu_watch.h). Once, before the first register access and
  // the first run. It outlives the device.
  void attach(MmuWatch& watch) { mmu_.attach(watch, *this); }
  // Lets the hardware fail where `misbehaviour` says so. The same.
  void attach(Misbehaviour& misbehaviour);

  // Any thread.
  std::uint32_t read32(std::uint32_t offset) override;
  void write32(std::uint32_t offset, std::uint32_t value) override;

  // One thread at a time. Lets time pass and executes at most `budget` instructions.
  RunState run(std::uint32_t budget);

  // Any thread. Allocates while the device waits, and so does who writes a register: not beside a
  // driver at work.
  GpuDump dump();
  // GpuDump::recoveries. Any thread, any time.
  std::uint64_t recoveries();

 private:
  static constexpr std::uint32_t kPatience = 32;

  // Takes the lock for a register access.
  class PANTRY_SCOPED_CAPABILITY Turn {
   public:
    explicit Turn(Gpu& gpu) PANTRY_ACQUIRE(gpu.mutex_);
    ~Turn() PANTRY_RELEASE();

   private:
    Gpu& gpu_;
  };

  // The interfaces of the blocks: called by the blocks, under the lock that their caller
  // holds.
  void raise_job_interrupt(std::uint32_t bits) override;
  void set_mcu_status(McuStatus status) override;
  std::uint64_t timestamp() override;
  std::uint64_t cycle_count() override;
  void set_counters(Counters counters) override;
  void power_endpoints(std::uint64_t cores, std::uint64_t tilers) override;
  std::uint32_t latest_flush() override;
  void complete_cache_flush() override;
  TimePoint now() override;
  bool yield_requested() override;
  void work_arrived() override;
  void report_bus_fault(PhysAddr address, Access access, AsIndex as) override;
  std::uint32_t address_spaces_in_use() override { return firmware_.address_spaces_in_use(); }
  void reset_device(datasheet::gpu_control::ResetMode mode) override;
  std::uint32_t block_status() override;

  // MCU_CONTROL, MCU_STATUS and the doorbells.
  std::uint32_t read_register(std::uint32_t offset) override;
  void write_register(std::uint32_t offset, std::uint32_t value) override;
  void switch_mcu(std::uint32_t control);
  bool firmware_runs() const;  // or is lost: it was not halted

  // Ends what is due; when the next thing is, or never().
  TimePoint advance(TimePoint now);

  Mutex mutex_;
  CondVar access_over_;  // for the run() that let accesses go first
  CondVar slice_over_;   // for the accesses that let run() go first
  std::atomic<std::uint32_t> waiting_accesses_{0};
  std::atomic<bool> runner_waits_{false};
  std::uint32_t accesses_since_slice_ PANTRY_GUARDED_BY(mutex_) = 0;

  // Under mutex_ from here on. Not annotated: the blocks call back through interfaces that know no
  // lock.
  const datasheet::GpuModel model_;
  const Quirks quirks_;
  const HostPorts ports_;
  RegisterFile registers_;
  IrqBlock gpu_irq_;
  IrqBlock job_irq_;
  IrqBlock mmu_irq_;
  GpuControl control_;
  PowerDomain shader_;
  PowerDomain tiler_;
  PowerDomain l2_;
  Mmu mmu_;
  Firmware firmware_;

  std::uint32_t mcu_control_ = 0;
  McuStatus mcu_status_ = McuStatus::kDisabled;
  TimePoint next_event_ = TimePoint::never();
  enum class Host : std::uint8_t { kAwake, kMayAsleep } host_ = Host::kAwake;
  enum class Streams : std::uint8_t { kIdle, kBusy } streams_ = Streams::kIdle;
  std::uint64_t resets_ = 0;
  std::uint64_t recoveries_ = 0;
  bool was_cut_off_ = false;  // the firmware, since the last reset
};

}  // namespace pantry::emu
