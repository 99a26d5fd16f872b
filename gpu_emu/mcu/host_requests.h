// SPDX-License-Identifier: MIT
//
// For tests: what a driver asks the firmware for, as Linux 6.12 writes it: "the acknowledge with
// the bit inverted", then a doorbell.
//
// Not thread-safe. Nothing here allocates.
#pragma once

#include <cstdint>

#include "gpu_emu/mcu/host_blocks.h"

namespace pantry::emu {

class HostRequests : public HostBlocks {
 public:
  explicit HostRequests(InterfacePort& port) : HostBlocks(port) {}

  // After every boot: timers, interrupt mask, IDLE_EN; rings.
  void init_global() {
    using datasheet::glb::Request;
    namespace in = datasheet::glb::input;
    const HostBlock input = glb_input();
    input.store64(in::kCoreEnMask, 0x5'0005);
    input.store(in::kProgressTimer, 0x27'1000);
    input.store(in::kPoweroffTimer, 0xeb);
    input.store(in::kIdleTimer, 0x13);
    input.store(in::kAckIrqMask, Request::CfgProgressTimer::kMask | Request::CfgAllocEn::kMask |
                                     Request::CfgPoweroffTimer::kMask | Request::Ping::kMask |
                                     Request::IdleEn::kMask | Request::Idle::kMask);
    const std::uint32_t toggles = Request::CfgProgressTimer::kMask | Request::CfgAllocEn::kMask |
                                  Request::CfgPoweroffTimer::kMask;
    toggle_global(toggles);
    input.store(in::kReq, input.load(in::kReq) | Request::IdleEn::kMask);
    port_.ring(0);
  }
  // Bits of GLB req become "not as acknowledged"; does not ring.
  void toggle_global(std::uint32_t bits) {
    const HostBlock input = glb_input();
    const std::uint32_t ack = glb_output().load(datasheet::glb::output::kAck);
    const std::uint32_t request = input.load(datasheet::glb::input::kReq);
    input.store(datasheet::glb::input::kReq, (request & ~bits) | (~ack & bits));
  }
  void ring_groups(std::uint32_t groups) {
    const HostBlock input = glb_input();
    const std::uint32_t ack = glb_output().load(datasheet::glb::output::kDoorbellAck);
    const std::uint32_t request = input.load(datasheet::glb::input::kDoorbellReq);
    input.store(datasheet::glb::input::kDoorbellReq, (request & ~groups) | (~ack & groups));
    port_.ring(0);
  }

  // The state bits of CSG req, without a doorbell.
  void request_state(std::uint32_t slot, datasheet::csg::State state) {
    namespace in = datasheet::csg::input;
    const HostBlock input = csg_input(slot);
    input.store(in::kReq, datasheet::csg::Request::StateField::set(input.load(in::kReq), state));
  }
  // The group has left the slot: its queues are stopped without a doorbell.
  void stop_streams(std::uint32_t slot) {
    for (std::uint32_t i = 0; i < 8; ++i) {
      const HostBlock input = cs_input(slot, i);
      input.store(datasheet::cs::input::kReq,
                  datasheet::cs::Request::StateField::set(input.load(datasheet::cs::input::kReq),
                                                          datasheet::cs::State::kStop));
    }
  }
  void toggle_group(std::uint32_t slot, std::uint32_t bits) {
    const HostBlock input = csg_input(slot);
    const std::uint32_t ack = csg_output(slot).load(datasheet::csg::output::kAck);
    const std::uint32_t request = input.load(datasheet::csg::input::kReq);
    input.store(datasheet::csg::input::kReq, (request & ~bits) | (~ack & bits));
  }
  void toggle_streams(std::uint32_t slot, std::uint32_t streams) {
    const HostBlock input = csg_input(slot);
    const std::uint32_t ack = csg_output(slot).load(datasheet::csg::output::kDoorbellAck);
    const std::uint32_t request = input.load(datasheet::csg::input::kDoorbellReq);
    input.store(datasheet::csg::input::kDoorbellReq, (request & ~streams) | (~ack & streams));
  }
  // State, ENDPOINT_CONFIG and STATUS_UPDATE are as requested.
  bool is_acknowledged(std::uint32_t slot) const {
    const std::uint32_t request = csg_input(slot).load(datasheet::csg::input::kReq);
    const std::uint32_t ack = csg_output(slot).load(datasheet::csg::output::kAck);
    return ((request ^ ack) & (datasheet::csg::Request::StateField::kMask |
                               datasheet::csg::Request::kMirroredMask)) == 0;
  }
};

}  // namespace pantry::emu
