// SPDX-License-Identifier: MIT
//
// One group slot: starts, suspends and terminates the group that the host puts there, acknowledges
// its requests, and raises its events.
//
// A request is answered from what the shared section says when answer() runs. One that needs memory
// which is stalled is left unacknowledged and done again, whole, by a later run. Called with the
// device's lock held; only log lines allocate.
#pragma once

#include <array>
#include <cstdint>

#include "gpu_emu/cs/interpreter.h"
#include "gpu_emu/datasheet/csg_interface.h"
#include "gpu_emu/mcu/cs_slot.h"
#include "gpu_emu/mcu/firmware_env.h"
#include "gpu_emu/mcu/idle_period.h"
#include "gpu_emu/mcu/toggle_events.h"

namespace pantry::emu {

class CsgSlot {
 public:
  CsgSlot(FirmwareEnv& env, std::uint32_t group);
  CsgSlot(const CsgSlot&) = delete;
  CsgSlot& operator=(const CsgSlot&) = delete;

  // At boot: nothing runs, nothing is pending.
  void boot();
  // A bit of the global doorbell_req.
  Progress answer();
  // Something is asked whose doorbell bit may have got lost: the host toggles it relative to our
  // acknowledge, which may be on its way.
  bool has_unanswered_request() const;
  // A doorbell page that is not the global one.
  void ring(std::uint32_t page);
  // Lets the stream run; the number of instructions that it executed.
  std::uint32_t run(Interpreter& interpreter, std::uint32_t stream, std::uint32_t limit);
  // For HALT: saves the group, but acknowledges nothing.
  Progress halt();
  // Power or reset: forgets the group without a word.
  void forget();

  // Posts the CSG events; raise_events() tells the host.
  void post_idle();
  void post_progress_timeout();
  void raise_events();

  // Judges again whether the group is idle.
  void update_idleness();

  bool is_running() const { return is_running_; }
  std::uint8_t priority() const { return priority_; }
  AsIndex address_space() const { return address_space_; }
  const CsSlot& stream(std::uint32_t index) const { return streams_[index]; }
  // Endpoint work of the stream was finished at `at`.
  void finish_endpoint_work(std::uint32_t stream, EndpointKind kind, TimePoint at) {
    streams_[stream].finish_endpoint_work(kind, at);
  }
  // Since when the group has been idle, if it is.
  const IdlePeriod& idle() const { return idle_; }
  IdlePeriod& idle() { return idle_; }
  bool has_progress_timeout() const { return has_progress_timeout_; }
  void clear_progress_timeout() { has_progress_timeout_ = false; }

 private:
  Progress change_state(datasheet::csg::State wanted);
  Progress start(datasheet::csg::State wanted);
  Progress suspend();
  void terminate();
  void leave();
  bool is_idle() const;
  void take_endpoint_config();
  void publish_status();
  void publish_endpoints();
  void store_ack(std::uint32_t ack);

  FirmwareEnv& env_;
  std::uint32_t group_;
  SharedBlock input_;
  SharedBlock output_;
  std::array<CsSlot, kStreamSlots> streams_;
  StreamPeers peers_;
  ToggleEvents events_;
  ToggleEvents stream_interrupts_;  // cs_irq_req against cs_irq_ack
  std::uint32_t ack_ = 0;
  std::uint32_t seen_request_ = 0;  // as last answered, or found at boot
  std::uint32_t doorbell_ack_ = 0;
  std::uint32_t stream_interrupt_req_ = 0;
  IdlePeriod idle_;
  AsIndex address_space_;
  std::uint8_t priority_ = 0;
  bool is_running_ = false;
  bool has_progress_timeout_ = false;  // the host has been told of it
  bool has_logged_exclusive_ = false;
};

}  // namespace pantry::emu
