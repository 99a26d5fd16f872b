// SPDX-License-Identifier: MIT
//
// For tests only: the registers of a GPU over FakeFirmware. Commands complete at once; address
// spaces commit what UPDATE finds; the three interrupt lines follow RAWSTAT and MASK. Faults of the
// MMU are raised by the test.
//
// Any thread: one lock, under which the interrupt lines are set.
#pragma once

#include <vector>

#include "base/mutex.h"
#include "driver/csf/fake_firmware.h"
#include "driver/kernel/allocation_trap.h"
#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/datasheet/doorbell.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/datasheet/mmu_int.h"
#include "gpu_emu/datasheet/model.h"

namespace pantry::driver {

class FakeGpu final : public emu::Mmio {
 public:
  FakeGpu(emu::Dram dram, emu::IrqLine& gpu_irq, emu::IrqLine& job_irq, emu::IrqLine& mmu_irq)
      : firmware_(FakeMemory(dram)), gpu_irq_(gpu_irq), job_irq_(job_irq), mmu_irq_(mmu_irq) {
    const datasheet::GpuModel& model = datasheet::kMaliG610;
    namespace regs = datasheet::gpu_control;
    words_[regs::kGpuId.offset / 4] = model.gpu_id;
    words_[regs::kL2Features.offset / 4] = model.l2_features;
    words_[regs::kMmuFeatures.offset / 4] = model.mmu_features;
    words_[regs::kShaderPresent.offset / 4] = static_cast<std::uint32_t>(model.shader_present);
    words_[regs::kTilerPresent.offset / 4] = 1;
    words_[regs::kL2Present.offset / 4] = 1;
    words_[regs::kAsPresent.offset / 4] = 0x0f;  // three for users
  }

  // What the test wants to do to the firmware, with nothing else going on.
  template <class Body>
  auto with_firmware(Body body) {
    const AllocationTrapPause pause;  // hardware has no lock that the driver could wait for
    MutexLock lock(mutex_);
    struct Finally {
      FakeGpu& gpu;
      ~Finally() { gpu.update_lines(); }
    } finally{*this};
    return body(firmware_);
  }
  void poke() {
    MutexLock lock(mutex_);
    if (mcu_status_ == 1) firmware_.poke(roots_);
    update_lines();
  }
  void raise_mmu_fault(std::uint32_t as, std::uint64_t va) {
    namespace regs = datasheet::address_space;
    MutexLock lock(mutex_);
    words_[regs::offset_of(as, regs::kFaultStatus) / 4] = 0x3c3;
    words_[regs::offset_of(as, regs::kFaultAddress) / 4] = static_cast<std::uint32_t>(va);
    mmu_rawstat_ |= 1u << as;
    update_lines();
  }
  void raise_gpu_fault() {
    MutexLock lock(mutex_);
    gpu_rawstat_ |= 1;
    update_lines();
  }
  // Registers that no command changes.
  void set_word(std::uint32_t offset, std::uint32_t value) {
    MutexLock lock(mutex_);
    if (offset / 4 < words_.size()) words_[offset / 4] = value;
  }
  void set_never_powers_up() {
    MutexLock lock(mutex_);
    powers_up_ = false;
  }
  std::uint32_t soft_resets() {
    MutexLock lock(mutex_);
    return soft_resets_;
  }
  std::uint32_t gpu_mask() {
    MutexLock lock(mutex_);
    return gpu_mask_;
  }
  std::uint32_t job_mask() {
    MutexLock lock(mutex_);
    return job_mask_;
  }
  bool is_powered() {
    MutexLock lock(mutex_);
    return powered_;
  }
  std::uint32_t mcu_status() {
    MutexLock lock(mutex_);
    return mcu_status_;
  }

  std::uint32_t read32(std::uint32_t offset) override {
    MutexLock lock(mutex_);
    namespace regs = datasheet::gpu_control;
    switch (offset) {
      case regs::kIrqRawstat.offset:
        return gpu_rawstat_;
      case regs::kIrqStatus.offset:
        return gpu_rawstat_ & gpu_mask_;
      case regs::kL2Ready.offset:
        return powered_ ? 1 : 0;
      case regs::kMcuStatus.offset:
        return mcu_status_;
      case datasheet::job_int::kRawstat.offset:
        return job_rawstat_;
      case datasheet::job_int::kStatus.offset:
        return job_rawstat_ & job_mask_;
      case datasheet::mmu_int::kRawstat.offset:
        return mmu_rawstat_;
      case datasheet::mmu_int::kStatus.offset:
        return mmu_rawstat_ & mmu_mask_;
      default:
        break;
    }
    return offset / 4 < words_.size() ? words_[offset / 4] : 0;
  }

  void write32(std::uint32_t offset, std::uint32_t value) override {
    MutexLock lock(mutex_);
    write(offset, value);
    update_lines();
  }

 private:
  void write(std::uint32_t offset, std::uint32_t value) {
    namespace regs = datasheet::gpu_control;
    namespace as = datasheet::address_space;
    switch (offset) {
      case regs::kIrqClear.offset:
        gpu_rawstat_ &= ~value;
        return;
      case regs::kIrqMask.offset:
        gpu_mask_ = value;
        return;
      case regs::kCommand.offset:
        return command(value);
      case regs::kL2PwrOn.offset:
        powered_ = powers_up_ && (powered_ || (value & 1) != 0);
        return;
      case regs::kL2PwrOff.offset:
        powered_ = powered_ && (value & 1) == 0;
        return;
      case regs::kMcuControl.offset:
        return switch_mcu(value);
      case datasheet::job_int::kClear.offset:
        job_rawstat_ &= ~value;
        return;
      case datasheet::job_int::kMask.offset:
        job_mask_ = value;
        return;
      case datasheet::mmu_int::kClear.offset:
        mmu_rawstat_ &= ~value;
        return;
      case datasheet::mmu_int::kMask.offset:
        mmu_mask_ = value;
        return;
      default:
        break;
    }
    if (offset >= datasheet::doorbell::kBase) {
      if (mcu_status_ != 1) return;
      const std::uint32_t page =
          (offset - datasheet::doorbell::kBase) / datasheet::doorbell::kPageBytes;
      firmware_.doorbell(page, roots_);
      if (page == 0 && firmware_.halt_requested() && !firmware_.is_deaf) mcu_status_ = 2;
      return;
    }
    if (offset / 4 < words_.size()) words_[offset / 4] = value;
    const std::uint32_t index = (offset - as::kFirstBlock) / as::kBlockBytes;
    if (offset < as::kFirstBlock || index >= as::kMaxCount) return;
    const bool is_command = (offset - as::kFirstBlock) % as::kBlockBytes == as::kCommand.offset;
    if (is_command && value == static_cast<std::uint32_t>(as::Command::kUpdate))
      roots_[index] = {words_[as::offset_of(index, as::kTranstab) / 4] |
                       std::uint64_t{words_[as::offset_of(index, as::kTranstab) / 4 + 1]} << 32};
  }
  void command(std::uint32_t word) {
    namespace regs = datasheet::gpu_control;
    switch (regs::Command::Type::get(word)) {
      case regs::CommandType::kReset:
        ++soft_resets_;
        powered_ = false;
        mcu_status_ = 0;
        roots_ = {};
        job_rawstat_ = mmu_rawstat_ = 0;
        firmware_.is_deaf = false;  // what a reset is for
        firmware_.ignored_slots = 0;
        gpu_rawstat_ |= regs::GpuIrq::ResetCompleted::kMask;
        return;
      case regs::CommandType::kFlushCaches:
        gpu_rawstat_ |= regs::GpuIrq::CleanCachesCompleted::kMask;
        return;
      default:
        return;
    }
  }
  void switch_mcu(std::uint32_t control) {
    if (control == 0) {
      mcu_status_ = 0;
    } else if (mcu_status_ == 0 && powered_) {
      mcu_status_ = firmware_.boot(roots_) ? 1 : 3;
    }
  }
  void update_lines() {
    job_rawstat_ |= firmware_.take_interrupts();
    gpu_irq_.set((gpu_rawstat_ & gpu_mask_) != 0);
    job_irq_.set((job_rawstat_ & job_mask_) != 0);
    mmu_irq_.set((mmu_rawstat_ & mmu_mask_) != 0);
  }

  Mutex mutex_;
  FakeFirmware firmware_;
  FakeFirmware::Roots roots_{};
  emu::IrqLine& gpu_irq_;
  emu::IrqLine& job_irq_;
  emu::IrqLine& mmu_irq_;
  // What has no meaning of its own here, by offset / 4. Writing allocates nothing.
  std::vector<std::uint32_t> words_ = std::vector<std::uint32_t>(0x4000);
  std::uint32_t gpu_rawstat_ = 0, gpu_mask_ = 0;
  std::uint32_t job_rawstat_ = 0, job_mask_ = 0;
  std::uint32_t mmu_rawstat_ = 0, mmu_mask_ = 0;
  std::uint32_t mcu_status_ = 0;
  std::uint32_t soft_resets_ = 0;
  bool powered_ = false;
  bool powers_up_ = true;
};

}  // namespace pantry::driver
