// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/firmware_core.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gpu_emu/datasheet/doorbell.h"
#include "gpu_emu/datasheet/firmware_interface.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/mcu/control_blocks.h"

namespace pantry::emu {
namespace {

// One turn of a stream, in instructions.
constexpr std::uint32_t kQuantum = 256;
// A host that writes a sync object rings no bell, and a register access that ends a stall may not
// tell us: look again after this time.
constexpr Duration kPollInterval = milliseconds(1);
// A locked region is opened again within microseconds; the driver gives a boot 1 s.
constexpr Duration kBootPatience = milliseconds(100);

template <std::size_t... kIndex>
std::array<CsgSlot, sizeof...(kIndex)> make_groups(FirmwareEnv& env,
                                                   std::index_sequence<kIndex...>) {
  return {CsgSlot(env, kIndex)...};
}

// When the stream has something to do without anybody's help.
TimePoint next_in_flight(const CsSlot& slot) {
  TimePoint next = TimePoint::never();
  if (!slot.may_run()) return next;
  const InFlightOps& ops = slot.stream().state.in_flight;
  for (std::uint32_t i = 0; i < ops.size(); ++i) next = std::min(next, TimePoint{ops[i].done_ns});
  if (slot.stream().deferred_stalled) return next;  // which is tried again anyway
  const DeferredOps& deferred = slot.stream().state.deferred;
  for (std::uint32_t i = 0; i < deferred.size(); ++i) {
    if (deferred[i].done_ns != 0) next = std::min(next, TimePoint{deferred[i].done_ns});
  }
  return next;
}

// When the first endpoint work of the group will have been at the endpoints for as long as the
// timer says; never() without a timer. Waiting for an endpoint is no lack of progress of its own.
TimePoint progress_deadline(const CsgSlot& group, Duration timer) {
  TimePoint first = TimePoint::never();
  if (timer.ns == 0) return first;
  for (std::uint32_t i = 0; i < kStreamSlots; ++i) {
    if (group.stream(i).is_started()) {
      first = std::min(first, group.stream(i).endpoints_held_for(timer));
    }
  }
  return first;
}

}  // namespace

FirmwareCore::FirmwareCore(const Quirks& quirks, GpuMemory& memory, DeviceServices& services,
                           StreamPolicy policy, const FirmwareModel& model)
    : quirks_(quirks),
      env_(quirks_, model, memory, services),
      interpreter_(quirks_, memory, services, policy),
      global_(env_),
      groups_(make_groups(env_, std::make_index_sequence<kGroupSlots>{})) {}

void FirmwareCore::start() {
  if (phase_ != Phase::kOff) return;
  phase_ = Phase::kBooting;
  boot_since_ = TimePoint::never();
}

void FirmwareCore::stop() {
  forget_groups();
  phase_ = Phase::kOff;
  has_requests_ = false;
  answers_from_ = {};
  env_.interrupts = 0;
  env_.services.set_mcu_status(McuStatus::kDisabled);
}

void FirmwareCore::forget_groups() {
  for (CsgSlot& group : groups_) group.forget();
  idle_.busy();
  power(0);
}

void FirmwareCore::doorbell(std::uint32_t page) {
  if (phase_ != Phase::kRunning) return;
  if (env_.misbehaviour) misbehave(page);
  next_poll_ = TimePoint{};
  if (page == datasheet::doorbell::kGlobalPage) {
    has_requests_ = true;
    return;
  }
  for (CsgSlot& group : groups_) group.ring(page);
}

void FirmwareCore::misbehave(std::uint32_t page) {
  if (env_.misbehaviour->firmware_hangs()) {
    phase_ = Phase::kHung;
  } else if (page == datasheet::doorbell::kGlobalPage) {
    const Duration delay = env_.misbehaviour->acknowledge_delay();
    if (delay.ns != 0) answers_from_ = std::max(answers_from_, env_.services.now() + delay);
  }
}

RunState FirmwareCore::run(std::uint32_t budget, TimePoint now) {
  if (phase_ != Phase::kBooting && phase_ != Phase::kRunning) return {};
  env_.now = now;
  ++env_.slice;
  is_section_stalled_ = open_section() == Progress::kStalled;
  if (!is_section_stalled_ && phase_ == Phase::kBooting) boot();
  if (phase_ == Phase::kRunning) let_endpoints_work();
  if (!is_section_stalled_ && phase_ == Phase::kRunning) {
    if (has_requests_ && env_.now >= answers_from_)
      has_requests_ = answer_requests() == Progress::kStalled;
    flush_interrupts();
    wake_what_is_due();
    execute(budget);
    look_at_timers();
    look_at_power();
    flush_interrupts();
  }
  return state_after_run();
}

Progress FirmwareCore::open_section() {
  switch (env_.section.open(env_.memory)) {
    case MemoryStatus::kOk:
      return Progress::kDone;
    case MemoryStatus::kAborted:
      give_up("its address space was disabled");
      return Progress::kStalled;
    case MemoryStatus::kStall:
      break;
  }
  if (phase_ == Phase::kBooting) {
    if (boot_since_ == TimePoint::never()) boot_since_ = env_.now;
    if (env_.now - boot_since_ >= kBootPatience) give_up("it is not mapped, or not writable");
  }
  return Progress::kStalled;
}

void FirmwareCore::give_up(const char* why) {
  log_error("gpu_emu/mcu", "the shared section at {:#x} cannot be reached: {}",
            datasheet::firmware_interface::kSharedSectionVa, why);
  forget_groups();
  phase_ = Phase::kFatal;
  env_.services.set_mcu_status(McuStatus::kFatal);
}

void FirmwareCore::boot() {
  publish_control_blocks(env_.section, quirks_, env_.model.group_slots);
  global_.boot();
  for (CsgSlot& group : groups_) group.boot();
  idle_.busy();
  has_requests_ = false;
  next_poll_ = TimePoint{};
  phase_ = Phase::kRunning;
  env_.services.set_mcu_status(McuStatus::kEnabled);
  env_.interrupts |= datasheet::job_int::Global::kMask;
  log_debug("gpu_emu/mcu", "booted, interface version {:#x}", quirks_.firmware_version);
}

Progress FirmwareCore::answer_requests() {
  global_.answer();
  const std::uint32_t bells = global_.group_bells();
  std::uint32_t stalled = 0;
  for (std::uint32_t i = 0; i < kGroupSlots; ++i) {
    groups_[i].raise_events();  // the host may have answered earlier ones
    const bool rung = (bells >> i & 1) != 0;
    if (!rung && !groups_[i].has_unanswered_request()) continue;
    if (!rung) log_debug("gpu_emu/mcu", "CSG {}: a request without its doorbell bit", i);
    if (groups_[i].answer() == Progress::kStalled) stalled |= 1u << i;
  }
  global_.acknowledge_groups(bells & ~stalled);
  if (stalled != 0) return Progress::kStalled;
  return global_.is_halt_requested() ? halt() : Progress::kDone;
}

Progress FirmwareCore::halt() {
  for (CsgSlot& group : groups_) {
    if (group.halt() == Progress::kStalled) return Progress::kStalled;
  }
  global_.acknowledge_halt();
  forget_groups();
  phase_ = Phase::kHalted;
  env_.services.set_mcu_status(McuStatus::kHalted);
  return Progress::kDone;
}

template <class Visit>
void FirmwareCore::for_each_stream(Visit visit) const {
  for (const CsgSlot& group : groups_) {
    if (!group.is_running()) continue;
    for (std::uint32_t i = 0; i < kStreamSlots; ++i) {
      if (group.stream(i).is_started()) visit(group.stream(i));
    }
  }
}

void FirmwareCore::wake_what_is_due() {
  env_.queue.wake(StreamPlace::kStalled);
  if (env_.now >= next_poll_) {
    next_poll_ = env_.now + kPollInterval;
    env_.queue.wake(StreamPlace::kSyncWait);
    env_.queue.wake(StreamPlace::kHeapWait);
  }
  for_each_stream([this](const CsSlot& slot) {
    const bool is_due =
        next_in_flight(slot) <= env_.now || (slot.stream().deferred_stalled && slot.may_run());
    if (is_due) env_.queue.put(slot.id(), StreamPlace::kReady);
  });
}

void FirmwareCore::execute(std::uint32_t budget) {
  while (phase_ == Phase::kRunning && budget != 0) {
    const std::optional<StreamId> id = env_.queue.next();
    if (!id) return;
    const std::uint32_t executed =
        groups_[id->group()].run(interpreter_, id->stream(), std::min(budget, kQuantum));
    instructions_ += executed;
    // A turn without an instruction costs too, so that a run ends whatever the streams do.
    budget -= std::max(executed, 1u);
    flush_interrupts();
    if (env_.services.yield_requested()) return;
    env_.now = env_.services.now();
    let_endpoints_work();
  }
}

void FirmwareCore::let_endpoints_work() {
  while (const auto finished = env_.endpoints.next_finished(env_.now)) {
    const StreamId stream = finished->claimant.stream;
    groups_[stream.group()].finish_endpoint_work(stream.stream(), finished->claimant.kind,
                                                 finished->at);
  }
}

void FirmwareCore::flush_interrupts() {
  const std::uint32_t bits = std::exchange(env_.interrupts, 0);
  if (bits != 0) env_.services.raise_job_interrupt(bits);
}

void FirmwareCore::look_at_timers() {
  if (phase_ != Phase::kRunning) return;
  for (CsgSlot& group : groups_) {
    if (!group.is_running()) continue;
    const TimePoint limit = progress_deadline(group, global_.progress_timer());
    if (limit > env_.now) {
      group.clear_progress_timeout();
    } else if (!group.has_progress_timeout()) {
      group.post_progress_timeout();
    }
    if (group.idle().deadline(global_.idle_timer()) <= env_.now) group.post_idle();
    group.raise_events();
  }
  look_at_idleness();
}

void FirmwareCore::look_at_idleness() {
  TimePoint since{INT64_MIN};
  for (const CsgSlot& group : groups_) {
    if (!group.is_running()) continue;
    since = std::max(since, group.idle().is_idle() ? group.idle().since() : TimePoint::never());
  }
  const bool is_idle = since != TimePoint{INT64_MIN} && since != TimePoint::never();
  if (!is_idle || (idle_.is_idle() && idle_.since() != since)) idle_.busy();
  if (!is_idle) return;
  idle_.idle(since);
  if (global_.is_idle_event_wanted() && idle_.deadline(global_.idle_timer()) <= env_.now) {
    global_.post_idle();
    global_.raise_events();
    idle_.reported();
  }
}

void FirmwareCore::look_at_power() {
  if (phase_ != Phase::kRunning) return;
  if (env_.endpoints.has_work()) {
    idle_endpoints_.busy();
    return power(env_.endpoints.cores());
  }
  idle_endpoints_.idle(env_.now);
  if (poweroff_deadline() <= env_.now) power(0);
}

TimePoint FirmwareCore::poweroff_deadline() const {
  return powered_ == 0 ? TimePoint::never() : idle_endpoints_.deadline(global_.poweroff_timer());
}

void FirmwareCore::power(std::uint64_t cores) {
  if (cores == powered_) return;
  powered_ = cores;
  env_.services.power_endpoints(cores, cores != 0 ? env_.model.tiler_present : 0);
}

RunState FirmwareCore::state_after_run() {
  if (phase_ != Phase::kBooting && phase_ != Phase::kRunning) return {};
  if (env_.queue.mask(StreamPlace::kReady) != 0 && !is_section_stalled_) {
    return {RunState::Kind::kBusy, {}};
  }

  TimePoint until = std::min(env_.endpoints.next_event(), poweroff_deadline());
  const RunQueue& queue = env_.queue;
  bool is_stalled = is_section_stalled_ || has_requests_ || queue.mask(StreamPlace::kStalled) != 0;
  for_each_stream([&](const CsSlot& slot) {
    until = std::min(until, next_in_flight(slot));
    is_stalled |= slot.stream().deferred_stalled && slot.may_run();
  });
  if (is_stalled) until = std::min(until, env_.now + kPollInterval);
  if ((queue.mask(StreamPlace::kSyncWait) | queue.mask(StreamPlace::kHeapWait)) != 0) {
    until = std::min(until, next_poll_);
  }
  for (const CsgSlot& group : groups_) {
    if (!group.is_running()) continue;
    until = std::min(until, group.idle().deadline(global_.idle_timer()));
    if (!group.has_progress_timeout()) {
      until = std::min(until, progress_deadline(group, global_.progress_timer()));
    }
  }
  if (global_.is_idle_event_wanted()) {
    until = std::min(until, idle_.deadline(global_.idle_timer()));
  }
  if (until == TimePoint::never()) return {};
  return {RunState::Kind::kIdleUntil, until};
}

std::uint32_t FirmwareCore::address_spaces_in_use() const {
  std::uint32_t spaces = phase_ == Phase::kOff ? 0 : 1;
  for (const CsgSlot& group : groups_)
    if (group.is_running()) spaces |= 1u << group.address_space().value;
  return spaces;
}

FirmwareDump FirmwareCore::dump() const {
  FirmwareDump dump;
  dump.instructions = instructions_;
  switch (phase_) {
    case Phase::kOff:
    case Phase::kBooting:
      dump.status = McuStatus::kDisabled;
      break;
    case Phase::kRunning:
    case Phase::kHung:
      dump.status = McuStatus::kEnabled;
      break;
    case Phase::kHalted:
      dump.status = McuStatus::kHalted;
      break;
    case Phase::kFatal:
      dump.status = McuStatus::kFatal;
      break;
  }
  for (std::uint32_t i = 0; i < kGroupSlots; ++i) {
    const CsgSlot& group = groups_[i];
    GroupDump& into = dump.groups[i];
    into.running = group.is_running();
    into.idle = group.idle().is_idle();
    into.priority = group.priority();
    into.address_space = group.address_space();
    for (std::uint32_t j = 0; j < kStreamSlots; ++j) {
      const CsSlot& slot = group.stream(j);
      const Stream& stream = slot.stream();
      if (!slot.is_started()) continue;
      into.streams[j] = {.started = true,
                         .held_by_fault = stream.state.faulted != 0,
                         .dead = stream.state.dead != 0,
                         .in_error_state = stream.state.in_error != 0,
                         .blocked_reason = static_cast<std::uint8_t>(stream.blocked),
                         .depth = stream.state.depth,
                         .scoreboards = stream.state.scoreboard.busy(),
                         .extract = stream.state.extract,
                         .insert = stream.insert,
                         .pc = stream.pc()};
    }
  }
  return dump;
}

}  // namespace pantry::emu
