// SPDX-License-Identifier: MIT
#include "driver/csf/firmware.h"

#include <cstring>
#include <new>

#include "base/check.h"
#include "base/log.h"
#include "gpu_emu/datasheet/doorbell.h"
#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/datasheet/job_int.h"

namespace pantry::driver {
namespace {

namespace glb = datasheet::glb;
namespace job_int = datasheet::job_int;
namespace gpu = datasheet::gpu_control;
using glb::Request;

constexpr const char* kRoom = "driver/csf";
constexpr std::uint32_t kAllInterrupts = ~std::uint32_t{0};
constexpr Duration kPollStep = microseconds(10);

// The system counter, which the firmware's timers count in.
constexpr std::int64_t kTimerHz = 24'000'000;
// 10 ms are 240'000 ticks, so 235 units of 1024: 0xeb.
constexpr std::uint32_t timer_word(Duration span) {
  const std::int64_t ticks = span.ns / 1000 * (kTimerHz / 1'000'000);
  constexpr std::int64_t kUnit = std::int64_t{1} << glb::kTimerShift;
  return glb::Timer::Units::of(static_cast<std::uint32_t>((ticks + kUnit - 1) / kUnit));
}
constexpr Duration kPoweroffHysteresis = milliseconds(10);
constexpr Duration kIdleHysteresis = microseconds(800);
static_assert(timer_word(kPoweroffHysteresis) == 0xeb && timer_word(kIdleHysteresis) == 0x13);
// Of endpoint work that makes no progress.
constexpr std::uint64_t kProgressCycles = 5 * 500 * kMiB;

constexpr std::uint32_t kToggledAtBoot = Request::CfgAllocEn::kMask |
                                         Request::CfgPoweroffTimer::kMask |
                                         Request::CfgProgressTimer::kMask;
constexpr std::uint32_t kInterruptsWanted =
    kToggledAtBoot | Request::Ping::kMask | Request::IdleEn::kMask | Request::Idle::kMask;

}  // namespace

Firmware::Firmware(const Config& config)
    : config_(config), clock_(config.device.executor.clock()) {}

Firmware::~Firmware() {
  config_.device.executor.lane(Lane::kScheduler).cancel(ping_work_);
  sections_.clear();
  if (vm_is_active_) vm_->deactivate();
}

Result<std::unique_ptr<Firmware>> Firmware::load(const Config& config,
                                                 std::span<const std::uint8_t> image) {
  try {
    auto parsed = FirmwareImage::parse(image);
    if (!parsed) {
      log_error(kRoom, "firmware image of {} bytes refused: {}", image.size(), parsed.error());
      return Error(Errno::kInval);
    }
    std::unique_ptr<Firmware> firmware(new Firmware(config));
    PANTRY_TRY_ASSIGN(firmware->vm_, Vm::create_mcu(config.device));
    PANTRY_TRY(firmware->map_sections(*std::move(parsed)));
    firmware->fill_sections();
    return firmware;
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

Result<> Firmware::map_sections(FirmwareImage image) {
  sections_.reserve(image.sections().size());
  for (const FirmwareSection& section : image.sections()) {
    auto mapping = vm_->map_kernel_at(section.range.first, section.range.size(), section.prot);
    if (!mapping) {
      log_error(kRoom, "firmware section '{}' at {:#x}, {:#x} bytes: {}", section.name,
                section.range.first.value, section.range.size(), pantry::name_of(mapping.error()));
      return Error(mapping.error());
    }
    sections_.push_back({section, *std::move(mapping)});
  }
  shared_ = image.shared_section();
  return {};
}

void Firmware::fill_sections() noexcept {
  for (LoadedSection& loaded : sections_) {
    const std::vector<std::uint8_t>& data = loaded.section.data;
    auto* const memory = static_cast<std::uint8_t*>(loaded.mapping.cpu());
    if (!data.empty()) std::memcpy(memory, data.data(), data.size());
    if (loaded.section.rest == FirmwareSection::Rest::kZeroed)
      std::memset(memory + data.size(), 0, loaded.mapping.size() - data.size());
  }
}

Result<> Firmware::boot(Sections sections) {
  if (auto active = vm_->activate(); !active) {
    log_error(kRoom, "the firmware's address space cannot be switched on: {}",
              pantry::name_of(active.error()));
    return Error(active.error());
  }
  vm_is_active_ = true;
  if (sections == Sections::kReloaded) fill_sections();
  Result<> result = start();
  if (result && !interface_) result = read_interface();
  if (!result) {
    stop();
    return result;
  }
  set_up_global();
  return {};
}

Result<> Firmware::start() {
  {
    MutexLock lock(mutex_);
    booted_ = false;
  }
  unmask_interrupt();
  config_.mmio.write32(gpu::kMcuControl, static_cast<std::uint32_t>(gpu::McuControl::kAuto));
  const auto is_booted = [this] {
    mutex_.assert_held();
    return booted_;
  };
  const bool booted = wait_until(is_booted, kBootLimit);
  // The interrupt may still be on its way.
  if (booted || job_int::Global::get(config_.mmio.read32(job_int::kStatus))) return {};
  log_error(kRoom, "the firmware did not boot within {} ms, MCU_STATUS is {}",
            kBootLimit.ns / 1'000'000, config_.mmio.read32(gpu::kMcuStatus));
  return Error(Errno::kTimedOut);
}

Result<> Firmware::read_interface() {
  KernelMapping& section = sections_[shared_].mapping;
  try {
    auto interface =
        FirmwareInterface::read({static_cast<std::byte*>(section.cpu()), section.size()});
    if (!interface) {
      log_error(kRoom, "the firmware's interface is refused: {}", interface.error());
      return Error(Errno::kInval);
    }
    interface_ = *std::move(interface);
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  const std::uint32_t version = interface_->version();
  log_info(kRoom, "firmware interface {}.{}.{}: {} group slots of {} streams",
           glb::Version::Major::get(version), glb::Version::Minor::get(version),
           glb::Version::Patch::get(version), interface_->group_slots(),
           interface_->stream_slots());
  return {};
}

// After every boot, also after one that kept the sections.
void Firmware::set_up_global() noexcept {
  {
    MutexLock lock(global_mutex_);
    GlobalInterface& global = interface_->global();
    global.input.store64(glb::input::kCoreEnMask, config_.shader_present);
    global.input.store(glb::input::kPoweroffTimer, timer_word(kPoweroffHysteresis));
    global.input.store(glb::input::kProgressTimer,
                       static_cast<std::uint32_t>(kProgressCycles >> glb::kProgressTimerShift));
    global.input.store(glb::input::kIdleTimer, timer_word(kIdleHysteresis));
    global.input.store(glb::input::kAckIrqMask, kInterruptsWanted);
    global.request.set(
        Request::IdleEn::kMask | Request::CounterEn::of(config_.counters == Counters::kOn),
        Request::IdleEn::kMask | Request::CounterEn::kMask);
    global.request.ask(kToggledAtBoot);
  }
  ring_global();
}

bool Firmware::halt() noexcept {
  if (!interface_) return false;
  GlobalInterface& global = interface_->global();
  {
    MutexLock lock(global_mutex_);
    global.request.set(Request::Halt::kMask, Request::Halt::kMask);
  }
  ring_global();
  const auto halted = [this] {
    return config_.mmio.read32(gpu::kMcuStatus) ==
           static_cast<std::uint32_t>(gpu::McuStatus::kHalted);
  };
  const bool clean = clock_.poll(halted, kPollStep, kAnswerLimit) &&
                     global.output.load(glb::output::kHaltStatus) ==
                         static_cast<std::uint32_t>(glb::HaltStatus::kOk);
  if (!clean) log_error(kRoom, "the firmware did not halt cleanly");
  // The firmware acts on a change from 0 to 1, so the bit must be 0 when it boots again.
  MutexLock lock(global_mutex_);
  global.request.set(0, Request::Halt::kMask);
  return clean;
}

void Firmware::stop() noexcept {
  {
    MutexLock lock(mask_mutex_);
    mask_ = 0;
    config_.mmio.write32(job_int::kMask, 0);
  }
  {
    MutexLock lock(mutex_);
    booted_ = false;
  }
  config_.mmio.write32(gpu::kMcuControl, static_cast<std::uint32_t>(gpu::McuControl::kDisable));
  const auto off = [this] {
    return config_.mmio.read32(gpu::kMcuStatus) ==
           static_cast<std::uint32_t>(gpu::McuStatus::kDisabled);
  };
  if (!clock_.poll(off, kPollStep, kAnswerLimit)) log_error(kRoom, "the MCU does not stop");
}

Result<KernelMapping> Firmware::allocate(std::uint64_t bytes, Prot prot) {
  return vm_->map_kernel(bytes, prot);
}

void Firmware::unmask_interrupt() noexcept {
  MutexLock lock(mask_mutex_);
  mask_ = kAllInterrupts;
  config_.mmio.write32(job_int::kClear, kAllInterrupts);
  config_.mmio.write32(job_int::kMask, kAllInterrupts);
}

void Firmware::ring_global() noexcept {
  config_.mmio.write32(datasheet::doorbell::offset_of(datasheet::doorbell::kGlobalPage),
                       datasheet::doorbell::kRingValue);
}

void Firmware::ring_groups(std::uint32_t slots) noexcept {
  if (slots == 0) return;
  {
    MutexLock lock(global_mutex_);
    interface_->global().doorbells.ask(slots);
  }
  ring_global();
}

void Firmware::ring_queues(std::uint32_t slot) noexcept {
  config_.mmio.write32(datasheet::doorbell::offset_of(queue_doorbell(slot)),
                       datasheet::doorbell::kRingValue);
}

std::uint32_t Firmware::answer_global_events() noexcept {
  MutexLock lock(global_mutex_);
  RequestWord& word = interface_->global().request;
  const std::uint32_t acknowledge = word.acknowledge();
  const std::uint32_t events = (word.request() ^ acknowledge) & Request::kEventMask;
  word.answer(acknowledge, events);
  return events;
}

// Tests `condition` at every job interrupt, and at the latest when `limit` has expired.
template <class Condition>
bool Firmware::wait_until(Condition condition, Duration limit) noexcept {
  // Past its deadline a limit still waits for the device to be clocked.
  constexpr Duration kGrace = milliseconds(1);
  MutexLock lock(mutex_);
  if (condition()) return true;
  for (HardwareLimit hardware(clock_, limit); !hardware.expired();) {
    const TimePoint now = clock_.now();
    interrupted_.wait_until(mutex_, now < hardware.deadline() ? hardware.deadline() : now + kGrace);
    if (condition()) return true;
  }
  return condition();
}

std::uint32_t Firmware::wait_for_groups(const GroupMasks& masks) noexcept {
  std::uint32_t missing = 0;
  const auto answered = [&] {
    missing = 0;
    for (std::uint32_t slot = 0; slot < interface_->group_slots(); ++slot)
      if ((interface_->group(slot).request.differing() & masks[slot]) != 0) missing |= 1u << slot;
    return missing == 0;
  };
  wait_until(answered, kAnswerLimit);
  return missing;
}

void Firmware::set_load(Load load) noexcept {
  if (load_.exchange(load) == load || load == Load::kIdle) return;
  config_.device.executor.lane(Lane::kScheduler).queue_at(ping_work_, clock_.now() + kPingInterval);
}

void Firmware::ping() {
  {
    MutexLock lock(mutex_);
    if (!booted_) return;
  }
  if (load_.load() == Load::kIdle) return;
  RequestWord& word = interface_->global().request;
  {
    MutexLock lock(global_mutex_);
    word.ask(Request::Ping::kMask);
  }
  ring_global();
  const auto answered = [&word] { return (word.differing() & Request::Ping::kMask) == 0; };
  if (!wait_until(answered, kAnswerLimit))
    return config_.reset.request_reset("the firmware did not answer a ping");
  config_.device.executor.lane(Lane::kScheduler).queue_at(ping_work_, clock_.now() + kPingInterval);
}

void Firmware::handle_interrupt() {
  emu::Mmio& mmio = config_.mmio;
  {
    MutexLock lock(mask_mutex_);
    if (mask_ == 0 || mmio.read32(job_int::kStatus) == 0) return;
    mmio.write32(job_int::kMask, 0);
  }
  for (;;) {
    std::uint32_t bits = 0;
    {
      MutexLock lock(mask_mutex_);
      bits = mmio.read32(job_int::kRawstat) & mask_;
      if (bits == 0) {
        mmio.write32(job_int::kMask, mask_);
        return;
      }
      mmio.write32(job_int::kClear, bits);
    }
    bool booted = false;
    {
      MutexLock lock(mutex_);
      booted_ = booted_ || job_int::Global::get(bits);
      booted = booted_;
      interrupted_.notify_all();
    }
    // What a firmware says that has not booted means nothing.
    FirmwareListener* const listener = listener_.load();
    if (booted && listener) listener->on_firmware_events(bits);
  }
}

}  // namespace pantry::driver
