// SPDX-License-Identifier: MIT
//
// Registers between a driver and its device that lose commands of the address spaces, but for the
// MCU's: so that a campaign can show that it notices. What belongs to a lost command does not reach
// the device at all, since each access holds it up for longer than an edit of a table takes. Any
// thread, as the device behind it. For devices whose commands are complete at once.
#pragma once

#include "gpu_emu/datasheet/address_space.h"
#include "uapi/machine/machine.h"

namespace pantry::campaigns {

class LossyRegisters final : public emu::Mmio, public emu::MmioSeam {
 public:
  enum class Lost : std::uint8_t {
    kNothing,
    kLock,          // LOCK: the device goes on while its tables are edited
    kLockAndFlush,  // and UNLOCK: what it has cached stays
  };
  explicit LossyRegisters(Lost lost) : lost_(lost) {}

  emu::Mmio& put_before(emu::Mmio& device) override {
    device_ = &device;
    return *this;
  }
  std::uint32_t read32(std::uint32_t offset) override {
    return is(offset, datasheet::address_space::kStatus) ? 0 : device_->read32(offset);
  }
  void write32(std::uint32_t offset, std::uint32_t value) override {
    if (!loses(offset, value)) device_->write32(offset, value);
  }

 private:
  bool loses(std::uint32_t offset, std::uint32_t value) const {
    if (is(offset, datasheet::address_space::kLockaddr)) return true;
    if (!is(offset, datasheet::address_space::kCommand)) return false;
    const auto command = static_cast<datasheet::address_space::Command>(value);
    return command == datasheet::address_space::Command::kLock ||
           (lost_ == Lost::kLockAndFlush && command == datasheet::address_space::Command::kUnlock);
  }
  // Whether it is this register of a client's address space, if any is to be lost.
  bool is(std::uint32_t offset, const datasheet::Register& reg) const {
    constexpr std::uint32_t kFirst =
        datasheet::address_space::kFirstBlock + datasheet::address_space::kBlockBytes;
    constexpr std::uint32_t kEnd =
        datasheet::address_space::kFirstBlock +
        datasheet::address_space::kBlockBytes * datasheet::address_space::kMaxCount;
    if (lost_ == Lost::kNothing || offset < kFirst || offset >= kEnd) return false;
    const std::uint32_t inside = (offset - kFirst) % datasheet::address_space::kBlockBytes;
    return inside >= reg.offset && inside < reg.offset + reg.bytes;
  }

  const Lost lost_;
  emu::Mmio* device_ = nullptr;
};

}  // namespace pantry::campaigns
