// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/global_interface.h"

#include "base/log.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/mcu/timers.h"

namespace pantry::emu {
namespace {

namespace in = datasheet::glb::input;
namespace out = datasheet::glb::output;
using datasheet::glb::Request;

constexpr std::uint32_t kInterrupt = datasheet::job_int::Global::kMask;
// Acknowledged like the others, and nothing else comes of them here.
constexpr std::uint32_t kWithoutEffect =
    Request::ProtmEnter::kMask | Request::PerfcntEn::kMask | Request::PerfcntSample::kMask |
    Request::IterTraceEn::kMask | Request::Sleep::kMask | Request::CfgEvictionTimer::kMask;

}  // namespace

GlobalInterface::GlobalInterface(FirmwareEnv& env)
    : env_(env), input_(env.section, layout::kGlbInput), output_(env.section, layout::kGlbOutput) {}

void GlobalInterface::store_ack(std::uint32_t ack) {
  ack_ = ack;
  output_.store(out::kAck, ack);
}

void GlobalInterface::boot() {
  const std::uint32_t request = input_.load(in::kReq);
  events_.forget();
  was_halt_requested_ = Request::Halt::get(request);
  is_idle_event_wanted_ = false;
  idle_timer_ = {};
  progress_timer_ = {};
  poweroff_timer_ = {};
  env_.endpoints.set_cores(env_.model.shader_present, env_.now);
  output_.store(out::kHaltStatus, static_cast<std::uint32_t>(datasheet::glb::HaltStatus::kOk));
  doorbell_ack_ = input_.load(in::kDoorbellReq);
  output_.store(out::kDoorbellAck, doorbell_ack_);
  store_ack(request & ~Request::Halt::kMask);
  switch_counters(request);
}

void GlobalInterface::switch_counters(std::uint32_t request) {
  using Counters = DeviceServices::Counters;
  env_.services.set_counters(Request::CounterEn::get(request) ? Counters::kOn : Counters::kOff);
}

void GlobalInterface::take_cores(std::uint64_t mask) {
  if ((mask & ~env_.model.shader_present) != 0 || mask == 0) {
    log_client("gpu_emu/mcu", "core_en_mask {:#x} of a GPU with the shader cores {:#x}", mask,
               env_.model.shader_present);
  }
  env_.endpoints.set_cores(mask, env_.now);
}

void GlobalInterface::answer() {
  const std::uint32_t request = input_.load(in::kReq);
  const std::uint32_t changed = (request ^ ack_) & Request::kMirroredMask;
  if (!Request::Halt::get(request)) was_halt_requested_ = false;
  if (Request::CfgProgressTimer::get(changed)) {
    progress_timer_ = progress_span(input_.load(in::kProgressTimer), env_.quirks);
  }
  if (Request::CfgPoweroffTimer::get(changed)) {
    poweroff_timer_ =
        timer_span(input_.load(in::kPoweroffTimer), env_.quirks, env_.model.timestamp_hz);
  }
  if (Request::CfgAllocEn::get(changed)) take_cores(input_.load64(in::kCoreEnMask));
  if (const std::uint32_t gaps = changed & kWithoutEffect & ~logged_gaps_; gaps != 0) {
    logged_gaps_ |= gaps;
    log_gap("gpu_emu/mcu", "GLB_REQ bits {:#x} are acknowledged without effect", gaps);
  }
  const std::uint32_t debug = (request ^ ack_) & Request::kDebugMask & ~logged_gaps_;
  if (debug != 0) {
    logged_gaps_ |= debug;
    log_gap("gpu_emu/mcu", "GLB_REQ bits {:#x}: debug requests are not answered", debug);
  }
  if (Request::CounterEn::get(changed)) switch_counters(request);
  // No bit says that the idle timer changed; it belongs to IDLE_EN.
  idle_timer_ = timer_span(input_.load(in::kIdleTimer), env_.quirks, env_.model.timestamp_hz);
  is_idle_event_wanted_ = Request::IdleEn::get(request);
  if (changed != 0) {
    store_ack(ack_ ^ changed);
    if ((changed & input_.load(in::kAckIrqMask)) != 0) {
      env_.interrupts |= kInterrupt;
    }
  }
  raise_events();
}

bool GlobalInterface::is_halt_requested() const {
  return Request::Halt::get(input_.load(in::kReq)) && !was_halt_requested_;
}

void GlobalInterface::acknowledge_halt() {
  was_halt_requested_ = true;
  output_.store(out::kHaltStatus, static_cast<std::uint32_t>(datasheet::glb::HaltStatus::kOk));
}

std::uint32_t GlobalInterface::group_bells() const {
  const std::uint32_t all_groups = (1u << env_.model.group_slots) - 1;
  return (input_.load(in::kDoorbellReq) ^ doorbell_ack_) & all_groups;
}

void GlobalInterface::acknowledge_groups(std::uint32_t groups) {
  doorbell_ack_ ^= groups;
  output_.store(out::kDoorbellAck, doorbell_ack_);
}

void GlobalInterface::post_idle() { events_.post(Request::Idle::kMask); }

void GlobalInterface::raise_events() {
  if (events_.waiting() == 0) return;
  const std::uint32_t toggled = events_.take(input_.load(in::kReq), ack_);
  if (toggled == 0) return;
  store_ack(ack_ ^ toggled);
  if ((toggled & input_.load(in::kAckIrqMask)) != 0) env_.interrupts |= kInterrupt;
}

}  // namespace pantry::emu
