// SPDX-License-Identifier: MIT
//
// For tests: the blocks of the firmware interface as the host finds them, through the control
// blocks. How memory and doorbells are reached is the port's business, so the same tests' host
// (interface_host.h) drives the firmware alone and a whole device.
//
// Not thread-safe. Nothing here allocates.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/firmware_interface.h"

namespace pantry::emu {

// Memory of the firmware's address space, by word, and the doorbells.
class InterfacePort {
 public:
  virtual std::uint32_t load(std::uint32_t va) = 0;
  virtual void store(std::uint32_t va, std::uint32_t value) = 0;
  virtual void ring(std::uint32_t page) = 0;

 protected:
  ~InterfacePort() = default;
};

class HostBlock {
 public:
  HostBlock(InterfacePort& port, std::uint32_t va) : port_(port), va_(va) {}
  std::uint32_t load(datasheet::Offset field) const { return port_.load(va_ + field); }
  std::uint64_t load64(datasheet::Offset field) const {
    return load(field) | std::uint64_t{load(field + 4)} << 32;
  }
  void store(datasheet::Offset field, std::uint32_t value) const {
    port_.store(va_ + field, value);
  }
  void store64(datasheet::Offset field, std::uint64_t value) const {
    store(field, static_cast<std::uint32_t>(value));
    store(field + 4, static_cast<std::uint32_t>(value >> 32));
  }

 private:
  InterfacePort& port_;
  std::uint32_t va_;
};

class HostBlocks {
 public:
  explicit HostBlocks(InterfacePort& port) : port_(port) {}

  HostBlock glb_control() const { return {port_, kSection}; }
  HostBlock glb_input() const {
    return {port_, glb_control().load(datasheet::glb::control::kInputVa)};
  }
  HostBlock glb_output() const {
    return {port_, glb_control().load(datasheet::glb::control::kOutputVa)};
  }
  HostBlock csg_control(std::uint32_t group) const {
    return {port_, kSection + datasheet::firmware_interface::group_control(group, group_stride())};
  }
  HostBlock csg_input(std::uint32_t group) const {
    return {port_, csg_control(group).load(datasheet::csg::control::kInputVa)};
  }
  HostBlock csg_output(std::uint32_t group) const {
    return {port_, csg_control(group).load(datasheet::csg::control::kOutputVa)};
  }
  HostBlock cs_control(std::uint32_t group, std::uint32_t stream) const {
    const std::uint32_t stride = csg_control(group).load(datasheet::csg::control::kStreamStride);
    return {port_, kSection + datasheet::firmware_interface::stream_control(group, group_stride(),
                                                                            stream, stride)};
  }
  HostBlock cs_input(std::uint32_t group, std::uint32_t stream) const {
    return {port_, cs_control(group, stream).load(datasheet::cs::control::kInputVa)};
  }
  HostBlock cs_output(std::uint32_t group, std::uint32_t stream) const {
    return {port_, cs_control(group, stream).load(datasheet::cs::control::kOutputVa)};
  }

 private:
  static constexpr std::uint32_t kSection = datasheet::firmware_interface::kSharedSectionVa;

  std::uint32_t group_stride() const {
    return glb_control().load(datasheet::glb::control::kGroupStride);
  }

 protected:
  InterfacePort& port_;
};

}  // namespace pantry::emu
