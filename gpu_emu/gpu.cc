// SPDX-License-Identifier: MIT
#include "gpu_emu/gpu.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "gpu_emu/datasheet/doorbell.h"
#include "gpu_emu/datasheet/firmware_interface.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/job_int.h"
#include "gpu_emu/datasheet/mmu_int.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::gpu_control;
namespace doorbell = datasheet::doorbell;
namespace job_int = datasheet::job_int;
namespace mmu_int = datasheet::mmu_int;

constexpr const char* kRoom = "gpu_emu";

constexpr IrqBlock::Registers kGpuIrq = {regs::kIrqRawstat, regs::kIrqClear, regs::kIrqMask,
                                         regs::kIrqStatus};
constexpr IrqBlock::Registers kJobIrq = {job_int::kRawstat, job_int::kClear, job_int::kMask,
                                         job_int::kStatus};
constexpr IrqBlock::Registers kMmuIrq = {mmu_int::kRawstat, mmu_int::kClear, mmu_int::kMask,
                                         mmu_int::kStatus};

constexpr PowerDomain::Registers kShaderPower = {regs::kShaderPresent,  regs::kShaderReady,
                                                 regs::kShaderPwrOn,    regs::kShaderPwrOff,
                                                 regs::kShaderPwrTrans, regs::kShaderPwrActive};
constexpr PowerDomain::Registers kTilerPower = {regs::kTilerPresent,  regs::kTilerReady,
                                                regs::kTilerPwrOn,    regs::kTilerPwrOff,
                                                regs::kTilerPwrTrans, regs::kTilerPwrActive};
constexpr PowerDomain::Registers kL2Power = {regs::kL2Present,  regs::kL2Ready,
                                             regs::kL2PwrOn,    regs::kL2PwrOff,
                                             regs::kL2PwrTrans, regs::kL2PwrActive};

PowerDomain::Timing core_timing(const Quirks& quirks) {
  return {quirks.power_transition_time, Quirks::RedundantPowerOn::kNoEffect};
}
PowerDomain::Timing l2_timing(const Quirks& quirks) {
  return {quirks.power_transition_time, quirks.redundant_power_on};
}

Mmu::Config mmu_config(const datasheet::GpuModel& model, const Dram& dram) {
  return {dram,
          model.as_present,
          {regs::MmuFeatures::VaBits::get(model.mmu_features),
           regs::MmuFeatures::PaBits::get(model.mmu_features)}};
}

const HostPorts& checked(const HostPorts& ports) {
  PANTRY_CHECK(ports.dram.host && ports.gpu_irq && ports.job_irq && ports.mmu_irq);
  PANTRY_CHECK(ports.user_page.word && ports.wake && ports.time);
  return ports;
}

}  // namespace

Gpu::Gpu(const datasheet::GpuModel& model, const Quirks& quirks, const HostPorts& ports,
         StreamPolicy policy)
    : model_(model),
      quirks_(quirks),
      ports_(checked(ports)),
      gpu_irq_(registers_, kGpuIrq, *ports.gpu_irq),
      job_irq_(registers_, kJobIrq, *ports.job_irq),
      mmu_irq_(registers_, kMmuIrq, *ports.mmu_irq),
      control_(model_, quirks_, ports.user_page, registers_, gpu_irq_, *this, *this),
      shader_(registers_, kShaderPower, model.shader_present, core_timing(quirks), gpu_irq_, *this),
      tiler_(registers_, kTilerPower, model.tiler_present, core_timing(quirks), gpu_irq_, *this),
      l2_(registers_, kL2Power, model.l2_present, l2_timing(quirks), gpu_irq_, *this),
      mmu_(quirks_, mmu_config(model, ports.dram), registers_, mmu_irq_, *this, *this),
      firmware_(quirks_, mmu_, *this, policy,
                {.group_slots = model.group_slots,
                 .timestamp_hz = model.timestamp_hz,
                 .shader_present = model.shader_present,
                 .tiler_present = model.tiler_present}) {
  // What the firmware and the streams are built for.
  PANTRY_CHECK(model.group_slots >= datasheet::firmware_interface::kMinGroups);
  PANTRY_CHECK(model.group_slots <= kGroupSlots && model.stream_slots == kStreamSlots);
  PANTRY_CHECK(model.stream_registers == kStreamRegisters);
  PANTRY_CHECK(model.scoreboards == Scoreboard::kEntries);
  PANTRY_CHECK(model.timestamp_hz != 0);
  registers_.declare_handled(regs::kMcuControl, *this);
  registers_.declare_handled(regs::kMcuStatus, *this);
  for (std::uint32_t page = 0; page < doorbell::kMaxPages; ++page)
    registers_.declare_handled(at_base(doorbell::kRing, doorbell::offset_of(page)), *this);
}

Gpu::~Gpu() = default;

void Gpu::attach(Misbehaviour& misbehaviour) {
  using Line = Misbehaviour::Line;
  gpu_irq_.attach(misbehaviour, Line::kGpu);
  job_irq_.attach(misbehaviour, Line::kJob);
  mmu_irq_.attach(misbehaviour, Line::kMmu);
  control_.attach(misbehaviour);
  mmu_.attach(misbehaviour);
  firmware_.attach(misbehaviour);
}

// --- The lock and the clock
// ---------------------------------------------------------------------------------------

Gpu::Turn::Turn(Gpu& gpu) : gpu_(gpu) {
  gpu.waiting_accesses_.fetch_add(1, std::memory_order_relaxed);
  gpu.mutex_.lock();
  while (gpu.runner_waits_ && gpu.accesses_since_slice_ >= kPatience)
    gpu.slice_over_.wait(gpu.mutex_);
  gpu.waiting_accesses_.fetch_sub(1, std::memory_order_relaxed);
  ++gpu.accesses_since_slice_;
  if (gpu.runner_waits_) gpu.access_over_.notify_one();
  if (gpu.next_event_ != TimePoint::never()) gpu.next_event_ = gpu.advance(gpu.ports_.time->now());
}

Gpu::Turn::~Turn() { gpu_.mutex_.unlock(); }

std::uint32_t Gpu::read32(std::uint32_t offset) {
  Turn turn(*this);
  return registers_.read(offset);
}

void Gpu::write32(std::uint32_t offset, std::uint32_t value) {
  Turn turn(*this);
  registers_.write(offset, value);
}

RunState Gpu::run(std::uint32_t budget) {
  runner_waits_ = true;
  MutexLock lock(mutex_);
  // A mutex lets the thread that has just released it take it again at once, so either side would
  // starve the other.
  while (waiting_accesses_.load(std::memory_order_relaxed) != 0 &&
         accesses_since_slice_ < kPatience)
    access_over_.wait(mutex_);
  runner_waits_ = false;
  if (accesses_since_slice_ >= kPatience) slice_over_.notify_all();
  accesses_since_slice_ = 0;

  host_ = Host::kAwake;
  const TimePoint start = ports_.time->now();
  // Once, and before the firmware: what is due wakes streams, which must have their turn after it.
  next_event_ = advance(start);
  RunState state = firmware_.run(budget, start);
  streams_ = state.kind == RunState::Kind::kBusy ? Streams::kBusy : Streams::kIdle;
  if (state.kind == RunState::Kind::kBusy) return state;
  if (state.kind == RunState::Kind::kIdle) state.until = TimePoint::never();
  // What the firmware has just set going is due from now on; hosts subtract times.
  state.until = std::max(std::min(state.until, next_event_), start);
  state.kind =
      state.until == TimePoint::never() ? RunState::Kind::kIdle : RunState::Kind::kIdleUntil;
  host_ = Host::kMayAsleep;
  return state;
}

TimePoint Gpu::advance(TimePoint now) {
  const std::uint64_t l2_before = l2_.ready();
  TimePoint next = control_.advance(now);
  next = std::min(
      {next, shader_.advance(now), tiler_.advance(now), l2_.advance(now), mmu_.advance(now)});
  // The page that clients map said "suspended" until here.
  if (l2_before == 0 && l2_.ready() != 0) control_.publish_latest_flush();
  return next;
}

TimePoint Gpu::now() { return ports_.time->now(); }

bool Gpu::yield_requested() { return waiting_accesses_.load(std::memory_order_relaxed) != 0; }

void Gpu::work_arrived() {
  // Whatever it is, it may be due at any time from now on: the next access or run finds out.
  next_event_ = TimePoint{INT64_MIN};
  if (host_ == Host::kAwake) return;
  host_ = Host::kAwake;
  ports_.wake->wake();
}

// --- MCU and doorbells
// --------------------------------------------------------------------------------------------

std::uint32_t Gpu::read_register(std::uint32_t offset) {
  return offset == regs::kMcuControl ? mcu_control_ : static_cast<std::uint32_t>(mcu_status_);
}

void Gpu::write_register(std::uint32_t offset, std::uint32_t value) {
  if (offset == regs::kMcuControl) return switch_mcu(value);
  firmware_.doorbell((offset - doorbell::kBase) / doorbell::kPageBytes);
  work_arrived();
}

void Gpu::switch_mcu(std::uint32_t control) {
  switch (static_cast<regs::McuControl>(control)) {
    case regs::McuControl::kDisable:
      mcu_control_ = control;
      was_cut_off_ |= firmware_runs();
      firmware_.stop();
      return;
    case regs::McuControl::kEnable:
    case regs::McuControl::kAuto:
      if (l2_.ready() == 0) {
        log_client(kRoom, "MCU_CONTROL {} while the L2 is off: the MCU does not start", control);
        return;
      }
      mcu_control_ = control;
      firmware_.start();
      work_arrived();
      return;
  }
  log_client(kRoom, "MCU_CONTROL {:#x} is no state", control);
}

void Gpu::set_mcu_status(McuStatus status) {
  if (status == mcu_status_) return;
  mcu_status_ = status;
  gpu_irq_.raise(regs::GpuIrq::McuStatusChanged::kMask);
}

void Gpu::raise_job_interrupt(std::uint32_t bits) { job_irq_.raise(bits); }
std::uint64_t Gpu::timestamp() { return control_.timestamp(); }
std::uint64_t Gpu::cycle_count() { return control_.cycle_count(); }
void Gpu::set_counters(Counters counters) {
  control_.count_for_firmware(counters == Counters::kOn ? GpuControl::Counting::kRunning
                                                        : GpuControl::Counting::kStopped);
}
void Gpu::power_endpoints(std::uint64_t cores, std::uint64_t tilers) {
  shader_.set(cores);
  tiler_.set(tilers);
}
std::uint32_t Gpu::latest_flush() { return control_.latest_flush(); }
void Gpu::complete_cache_flush() { control_.advance_latest_flush(); }

// --- Faults, reset, state
// -----------------------------------------------------------------------------------------

void Gpu::report_bus_fault(PhysAddr address, Access access, AsIndex as) {
  control_.latch_bus_fault(address, access, as);
}

bool Gpu::firmware_runs() const {
  return mcu_status_ == McuStatus::kEnabled || mcu_status_ == McuStatus::kFatal;
}

void Gpu::reset_device(regs::ResetMode mode) {
  ++resets_;
  recoveries_ += was_cut_off_ || firmware_runs();
  was_cut_off_ = false;
  firmware_.reset();
  mmu_.reset();
  shader_.reset();
  tiler_.reset();
  l2_.reset();
  control_.reset();
  registers_.reset_plain();
  mcu_control_ = 0;
  mcu_status_ = McuStatus::kDisabled;
  streams_ = Streams::kIdle;
  // Panthor waits for RESET_COMPLETED by interrupt and does not write its mask again.
  gpu_irq_.reset(mode == regs::ResetMode::kHard ? IrqBlock::Mask::kCleared : IrqBlock::Mask::kKept);
  const auto others = mode == regs::ResetMode::kHard ||
                              quirks_.reset_job_and_mmu_masks == Quirks::ResetIrqMasks::kCleared
                          ? IrqBlock::Mask::kCleared
                          : IrqBlock::Mask::kKept;
  job_irq_.reset(others);
  mmu_irq_.reset(others);
}

std::uint32_t Gpu::block_status() {
  using Status = regs::GpuStatus;
  const bool transition =
      (shader_.in_transition() | tiler_.in_transition() | l2_.in_transition()) != 0;
  return Status::GpuActive::of(streams_ == Streams::kBusy) | Status::PwrActive::of(transition) |
         Status::PageFault::of(mmu_.fault_unanswered());
}

std::uint64_t Gpu::recoveries() {
  Turn turn(*this);
  return recoveries_;
}

GpuDump Gpu::dump() {
  Turn turn(*this);
  return {.gpu = {gpu_irq_.rawstat(), gpu_irq_.mask()},
          .job = {job_irq_.rawstat(), job_irq_.mask()},
          .mmu = {mmu_irq_.rawstat(), mmu_irq_.mask()},
          .address_spaces = mmu_.dump(),
          .mmu_counters = mmu_.counters(),
          .firmware = firmware_.dump(),
          .l2_ready = l2_.ready(),
          .latest_flush = control_.latest_flush(),
          .resets = resets_,
          .recoveries = recoveries_,
          .misses = registers_.misses()};
}

}  // namespace pantry::emu
