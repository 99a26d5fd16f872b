// SPDX-License-Identifier: MIT
#include "gpu_emu/gpu_control.h"

#include "base/log.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/user_page.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::gpu_control;

constexpr const char* kRoom = "gpu_emu";

// Ticks of a counter of `hz` in `ns` nanoseconds, without overflow for 500 years: 1'500'000'000 ns
// at 24 MHz is 36'000'000.
constexpr std::uint64_t ticks(std::int64_t ns, std::uint64_t hz) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const auto whole = static_cast<std::uint64_t>(ns);
  return whole / kSecond * hz + whole % kSecond * hz / kSecond;
}
static_assert(ticks(1'500'000'000, 24'000'000) == 36'000'000);

// `offset` is that of one of the two halves.
constexpr void set_half(std::uint64_t& word, std::uint32_t offset, std::uint32_t value) {
  word = (offset & 4) != 0 ? (word & 0xffff'ffff) | std::uint64_t{value} << 32
                           : (word & ~std::uint64_t{0xffff'ffff}) | value;
}

}  // namespace

GpuControl::GpuControl(const datasheet::GpuModel& model, const Quirks& quirks, UserPage page,
                       RegisterFile& file, IrqBlock& irq, WholeDevice& device, DeviceClock& clock)
    : model_(model), quirks_(quirks), page_(page), irq_(irq), device_(device), clock_(clock) {
  declare_identity(file);
  declare_plain(file);
  for (const datasheet::Register& reg :
       {regs::kCommand, regs::kStatus, regs::kFaultStatus, regs::kFaultAddress,
        regs::kTimestampOffset, regs::kCycleCount, regs::kTimestamp,
        datasheet::user_page::kLatestFlush}) {
    file.declare_handled(reg, *this);
  }
  publish_latest_flush();
}

void GpuControl::declare_identity(RegisterFile& file) {
  file.declare_constant(regs::kGpuId, model_.gpu_id);
  file.declare_constant(regs::kL2Features, model_.l2_features);
  file.declare_constant(regs::kCoreFeatures, model_.core_features);
  file.declare_constant(regs::kTilerFeatures, model_.tiler_features);
  file.declare_constant(regs::kMemFeatures, model_.mem_features);
  file.declare_constant(regs::kMmuFeatures, model_.mmu_features);
  file.declare_constant(regs::kAsPresent, model_.as_present);
  file.declare_constant(regs::kCsfId, model_.csf_id);
  file.declare_constant(regs::kGpuFeatures, model_.gpu_features);
  file.declare_constant(regs::kThreadMaxThreads, model_.thread_max_threads);
  file.declare_constant(regs::kThreadMaxWorkgroupSize, model_.thread_max_workgroup_size);
  file.declare_constant(regs::kThreadMaxBarrierSize, model_.thread_max_barrier_size);
  file.declare_constant(regs::kThreadFeatures, model_.thread_features);
  file.declare_constant(regs::kTextureFeatures0, model_.texture_features[0]);
  file.declare_constant(regs::kTextureFeatures1, model_.texture_features[1]);
  file.declare_constant(regs::kTextureFeatures2, model_.texture_features[2]);
  file.declare_constant(regs::kTextureFeatures3, model_.texture_features[3]);
  file.declare_constant(regs::kRevId, model_.rev_id);
  file.declare_constant(regs::kCoherencyFeatures, model_.coherency_features);
  // No core stacks.
  file.declare_constant(regs::kStackPresent, 0);
  file.declare_constant(regs::kStackReady, 0);
  file.declare_constant(regs::kStackPwrTrans, 0);
}

// What drivers set up and a functional model need not heed.
void GpuControl::declare_plain(RegisterFile& file) {
  for (const datasheet::Register& reg :
       {regs::kL2Config, regs::kPwrKey, regs::kPwrOverride0, regs::kPwrOverride1,
        regs::kCoherencyProtocol, regs::kStackPwrOn, regs::kStackPwrOff, regs::kCsfConfig,
        regs::kShaderConfig, regs::kTilerConfig, regs::kL2MmuConfig}) {
    file.declare_plain(reg, 0);
  }
  for (std::uint32_t n = 0; n < regs::kSyscAllocCount; ++n)
    file.declare_plain(at_base(regs::kSyscAlloc0, 4 * n), 0);
}

std::uint32_t GpuControl::read_register(std::uint32_t offset) {
  switch (offset) {
    case regs::kStatus.offset:
      return status();
    case regs::kFaultStatus.offset:
      return fault_status_;
    case datasheet::user_page::kLatestFlush.offset:
      return latest_flush_;
    default:
      break;
  }
  // FAULT_ADDRESS, TIMESTAMP_OFFSET, CYCLE_COUNT and TIMESTAMP start at multiples of 8. Neither
  // half is latched.
  return static_cast<std::uint32_t>(read_whole(offset & ~std::uint32_t{4}) >>
                                    (offset & 4 ? 32 : 0));
}

std::uint64_t GpuControl::read_whole(std::uint32_t offset) {
  switch (offset) {
    case regs::kFaultAddress.offset:
      return fault_address_.value;
    case regs::kTimestampOffset.offset:
      return timestamp_offset_;
    case regs::kCycleCount.offset:
      return cycle_count();
    case regs::kTimestamp.offset:
      return timestamp();
    default:
      return 0;
  }
}

void GpuControl::write_register(std::uint32_t offset, std::uint32_t value) {
  if (offset == regs::kCommand) return command(value);
  set_half(timestamp_offset_, offset, value);
}

void GpuControl::command(std::uint32_t word) {
  switch (regs::Command::Type::get(word)) {
    case CommandType::kNop:
      return;
    case CommandType::kReset: {
      const regs::ResetMode mode = regs::CommandReset::Mode::get(word);
      if (mode > regs::ResetMode::kHard) break;
      if (mode == regs::ResetMode::kFast)
        log_gap(kRoom, "GPU_COMMAND: a fast reset is done as a soft one");
      log_info(kRoom, "GPU reset ({})", mode == regs::ResetMode::kHard ? "hard" : "soft");
      // A reset overtakes a cache flush, whose interrupt then never comes.
      in_progress_.reset();
      device_.reset_device(mode);
      return start(CommandType::kReset, quirks_.reset_time);
    }
    case CommandType::kTime: {
      const regs::CycleCounter counter = regs::CommandTime::Counter::get(word);
      if (counter > regs::CycleCounter::kEnable) break;
      settle_cycles();
      commanded_ = counter == regs::CycleCounter::kEnable ? Counting::kRunning : Counting::kStopped;
      return;
    }
    case CommandType::kFlushCaches:
      return start(CommandType::kFlushCaches, quirks_.cache_flush_time);
    case CommandType::kSetProtectedMode:
      log_gap(kRoom, "GPU_COMMAND: protected mode shows in GPU_STATUS and protects nothing");
      protection_ = Protection::kOn;
      return;
    case CommandType::kFinishHalt:
      log_gap(kRoom, "GPU_COMMAND: FINISH_HALT has no effect");
      return;
    case CommandType::kClearFault:
      fault_status_ = 0;
      fault_address_ = {};
      return;
    case CommandType::kFlushPaRange:
      log_gap(kRoom, "GPU_COMMAND: FLUSH_PA_RANGE belongs to later architectures");
      return;
  }
  log_client(kRoom, "GPU_COMMAND {:#x} does not exist", word);
}

void GpuControl::start(CommandType type, Duration time) {
  if (in_progress_) {
    log_client(kRoom, "GPU_COMMAND of type {} while one of type {} is in progress: lost",
               static_cast<unsigned>(type), static_cast<unsigned>(in_progress_->type));
    return;
  }
  if (misbehaviour_ && type == CommandType::kFlushCaches)
    time = time + misbehaviour_->extra_flush_time();
  in_progress_ = InProgress{type, clock_.now() + time};
  if (time.ns == 0) {
    finish();
  } else {
    clock_.work_arrived();
  }
}

void GpuControl::finish() {
  const CommandType type = in_progress_->type;
  in_progress_.reset();
  if (type == CommandType::kReset) {
    irq_.raise(regs::GpuIrq::ResetCompleted::kMask);
  } else {
    // The interrupt tells the driver that clients may rely on the new id.
    advance_latest_flush();
    irq_.raise(regs::GpuIrq::CleanCachesCompleted::kMask);
  }
}

TimePoint GpuControl::advance(TimePoint now) {
  if (!in_progress_) return TimePoint::never();
  if (now < in_progress_->done) return in_progress_->done;
  finish();
  return TimePoint::never();
}

void GpuControl::reset() {
  fault_status_ = 0;
  fault_address_ = {};
  timestamp_offset_ = 0;
  commanded_ = Counting::kStopped;
  firmware_ = Counting::kStopped;
  cycles_ = 0;
  protection_ = Protection::kOff;
}

std::uint32_t GpuControl::status() const {
  using Status = regs::GpuStatus;
  return device_.block_status() | Status::CycleCountActive::of(counting() == Counting::kRunning) |
         Status::ProtectedModeActive::of(protection_ == Protection::kOn);
}

std::uint64_t GpuControl::timestamp() const {
  return ticks(clock_.now().ns, model_.timestamp_hz) + timestamp_offset_;
}

GpuControl::Counting GpuControl::counting() const {
  return commanded_ == Counting::kRunning ? commanded_ : firmware_;
}

// Before a change of who wants them counted.
void GpuControl::settle_cycles() {
  cycles_ = cycle_count();
  counting_since_ = clock_.now();
}

void GpuControl::count_for_firmware(Counting counting) {
  settle_cycles();
  firmware_ = counting;
}

std::uint64_t GpuControl::cycle_count() const {
  if (counting() == Counting::kStopped) return cycles_;
  return cycles_ + ticks((clock_.now() - counting_since_).ns, quirks_.core_clock_hz);
}

void GpuControl::advance_latest_flush() {
  latest_flush_ = (latest_flush_ + 1) & datasheet::user_page::kLatestFlushMask;
  if (latest_flush_ == datasheet::user_page::kAlwaysFlush) latest_flush_ = 1;
  publish_latest_flush();
}

void GpuControl::publish_latest_flush() {
  page_.word->store(latest_flush_, std::memory_order_release);
}

void GpuControl::latch_bus_fault(PhysAddr address, Access access, AsIndex as) {
  using Status = regs::FaultStatus;
  if (fault_status_ == 0 || !(irq_.rawstat() & regs::GpuIrq::Fault::kMask)) {
    fault_status_ = Status::Type::of(datasheet::Exception::kGpuBusFault) |
                    Status::Access::of(access) | Status::AddressValid::of(true) |
                    Status::JasidValid::of(true) | Status::Jasid::of(as.value) |
                    Status::SourceId::of(quirks_.fault_source_id);
    fault_address_ = address;
  }
  log_info(kRoom, "bus fault at {:#x}, address space {}", address.value, as.value);
  irq_.raise(regs::GpuIrq::Fault::kMask);
}

}  // namespace pantry::emu
