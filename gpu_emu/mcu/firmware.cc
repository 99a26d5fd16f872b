// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/firmware.h"

#include "gpu_emu/mcu/firmware_core.h"

namespace pantry::emu {

Firmware::Firmware(const Quirks& quirks, GpuMemory& memory, DeviceServices& services,
                   StreamPolicy policy, const FirmwareModel& model)
    : core_(std::make_unique<FirmwareCore>(quirks, memory, services, policy, model)) {}

Firmware::~Firmware() = default;

void Firmware::attach(Misbehaviour& misbehaviour) { core_->attach(misbehaviour); }
void Firmware::start() { core_->start(); }
void Firmware::stop() { core_->stop(); }
void Firmware::reset() { core_->stop(); }
void Firmware::doorbell(std::uint32_t page) { core_->doorbell(page); }

RunState Firmware::run(std::uint32_t budget, TimePoint now) { return core_->run(budget, now); }

FirmwareDump Firmware::dump() const { return core_->dump(); }
std::uint32_t Firmware::address_spaces_in_use() const { return core_->address_spaces_in_use(); }

}  // namespace pantry::emu
