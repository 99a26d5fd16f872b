// SPDX-License-Identifier: MIT
#include "driver/device/device.h"

#include <atomic>
#include <bit>
#include <new>
#include <optional>

#include "base/check.h"
#include "base/log.h"
#include "driver/csf/job_stream.h"
#include "driver/device/fault_log.h"
#include "driver/device/file.h"
#include "driver/device/gpu_block.h"
#include "driver/device/nodes.h"
#include "driver/provision/page_pool.h"
#include "driver/vm/shrinker.h"
#include "gpu_emu/datasheet/user_page.h"

namespace pantry::driver {
namespace {

constexpr const char* kRoom = "driver/device";

// What the rooms below take for granted.
const char* why_unusable(const GpuInfo& info) {
  constexpr std::uint32_t kMcuSpace = 1;
  if ((info.as_present & kMcuSpace) == 0 || std::popcount(info.as_present) < 2)
    return "AS_PRESENT lacks the MCU's address space, or any other";
  if (info.as_present >> AddressSpaces::kMaxSlots != 0) return "AS_PRESENT has too many bits";
  if (info.va_bits() < 33 || info.va_bits() > 48) return "the size of virtual addresses is unknown";
  if (info.pa_bits() < 32 || info.pa_bits() > 48)
    return "the size of physical addresses is unknown";
  return nullptr;
}

}  // namespace

// In order of construction; destroyed from the last to the first.
struct Device::State final : ResetRequest, DevicePower {
  State(const DeviceConfig& with, const GpuInfo& identity)
      : config(with),
        scheduler_lane(with.executor.lane(Lane::kScheduler)),
        gpu(with.mmio, with.executor.clock()),
        info(identity),
        cleanup(with.executor.lane(Lane::kCleanup)),
        pages(with.frames, with.dram),
        buffers(with.frames, with.dram, with.backing),
        fault_log(with.executor.clock()),
        spaces(with.mmio, with.executor.clock(), identity.as_present, gpu, *this),
        vm_device{.executor = with.executor,
                  .cleanup = cleanup,
                  .dram = with.dram,
                  .spaces = spaces,
                  .buffers = buffers,
                  .pages = pages,
                  .fault_listener = fault_log,
                  .va_bits = identity.va_bits(),
                  .pa_bits = identity.pa_bits(),
                  .coherency = VmDevice::Coherency::kNone,
                  .max_pending_table_pages = with.max_pending_table_pages,
                  .provisioning = with.provisioning,
                  .shrinker = &shrinker,
                  .bind_times = with.bind_times} {
    buffers.set_swap(with.swap_bytes);
    with.frames.set_reclaimer(&shrinker);
    pages.trim_on(with.executor.lane(Lane::kCleanup));
    buffers.withdraw_on(with.executor.lane(Lane::kWithdraw));
  }

  Result<> bring_up() PANTRY_MAY_ALLOCATE;
  void take_down() PANTRY_MAY_WAIT;
  void settle() PANTRY_MAY_WAIT;
  void request_reset(const char* why) noexcept override;
  void reset() PANTRY_MAY_ALLOCATE;
  Result<> restart() PANTRY_MAY_ALLOCATE;
  void power_down() PANTRY_MAY_ALLOCATE;
  void unplug(Errno why) PANTRY_MAY_ALLOCATE;

  // Runtime suspend. On Lane::kScheduler.
  void idle() noexcept override;
  void busy() noexcept override;
  void wake() override PANTRY_MAY_ALLOCATE;
  void autosuspend() PANTRY_MAY_ALLOCATE;
  void stay_awake() PANTRY_MAY_ALLOCATE;

  const DeviceConfig config;
  WorkLane& scheduler_lane;
  GpuBlock gpu;
  const GpuInfo info;
  CsifInfo csif{};
  Nodes nodes;
  Cleanup cleanup;
  PagePool pages;
  BufferStore buffers;
  BufferNames buffer_names;
  Shrinker shrinker{buffers, pages};
  FaultLog fault_log;
  AddressSpaces spaces;
  VmDevice vm_device;
  std::unique_ptr<Firmware> firmware;
  std::unique_ptr<Scheduler> scheduler;

  enum class Phase : std::uint8_t { kComingUp, kUp, kUnplugged, kGoingDown };
  std::atomic<Phase> phase{Phase::kComingUp};
  // From the request of a reset to its end; the reason is that of the first request.
  std::atomic<bool> reset_pending{false};
  std::atomic<const char*> reset_reason{""};
  std::atomic<std::uint64_t> resets{0};
  // Written on Lane::kScheduler alone.
  std::atomic<bool> suspended{false};
  std::atomic<bool> is_busy{false};
  // What the firmware's memory is worth after the suspend.
  Firmware::Sections sections = Firmware::Sections::kKept;

  MemberInterrupt<GpuBlock, &GpuBlock::handle_interrupt> gpu_handler{gpu};
  MemberInterrupt<AddressSpaces, &AddressSpaces::handle_interrupt> mmu_handler{spaces};
  std::optional<MemberInterrupt<Firmware, &Firmware::handle_interrupt>> job_handler;
  MemberWork<State, &State::reset> reset_work{*this};
  MemberWork<State, &State::autosuspend> suspend_work{*this};
  MemberWork<State, &State::stay_awake> wake_work{*this};
};

Result<std::unique_ptr<Device>> Device::probe(const DeviceConfig& config) {
  const GpuInfo info = GpuBlock(config.mmio, config.executor.clock()).read_info();
  if (const char* why = why_unusable(info)) {
    log_error(kRoom, "GPU {:#x}: {}", info.gpu_id, why);
    return Error(Errno::kNoDev);
  }
  try {
    // Its destructor takes down whatever is up by then.
    std::unique_ptr<Device> device(new Device(std::make_unique<State>(config, info)));
    PANTRY_TRY(device->state_->bring_up());
    return device;
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

Result<> Device::State::bring_up() {
  log_info(kRoom, "GPU {:#x}: {} shader cores, L2 {:#x}, {} address spaces", info.gpu_id,
           std::popcount(info.shader_present), info.l2_features, std::popcount(info.as_present));
  gpu.unmask_interrupt();
  config.gpu_irq.attach(gpu_handler);
  spaces.unmask_interrupts();
  config.mmu_irq.attach(mmu_handler);
  PANTRY_TRY(gpu.power_on());

  PANTRY_TRY_ASSIGN(firmware, Firmware::load({.device = vm_device,
                                              .mmio = config.mmio,
                                              .reset = *this,
                                              .shader_present = info.shader_present,
                                              .counters = config.counters},
                                             config.firmware_image));
  job_handler.emplace(*firmware);
  config.job_irq.attach(*job_handler);
  PANTRY_TRY(firmware->boot(Firmware::Sections::kKept));

  const FirmwareInterface& interface = firmware->interface();
  csif = {.csg_slot_count = interface.group_slots(),
          .cs_slot_count = interface.stream_slots(),
          .cs_reg_count = interface.stream_registers(),
          .scoreboard_slot_count = interface.scoreboards(),
          .unpreserved_cs_reg_count = kOwnRegisters};
  scheduler = std::make_unique<Scheduler>(Scheduler::Config{.executor = config.executor,
                                                            .cleanup = cleanup,
                                                            .dram = config.dram,
                                                            .firmware = *firmware,
                                                            .spaces = spaces,
                                                            .caches = gpu,
                                                            .faults = pages.faults(),
                                                            .reset = *this,
                                                            .reset_pending = reset_pending,
                                                            .fault_errors = config.fault_errors,
                                                            .power = this});
  firmware->set_listener(scheduler.get());
  fault_log.set_next(scheduler.get());
  phase = Phase::kUp;
  idle();
  return {};
}

Device::Device(std::unique_ptr<State> state) : state_(std::move(state)) {}

Device::~Device() { state_->take_down(); }

void Device::State::take_down() {
  if (scheduler) settle();
  // From here on nobody can ask for a reset; one that is under way ends.
  const Phase before = phase.exchange(Phase::kGoingDown);
  scheduler_lane.cancel(reset_work);
  scheduler_lane.cancel(suspend_work);
  fault_log.set_next(nullptr);
  if (firmware) firmware->set_listener(nullptr);
  config.job_irq.detach();
  scheduler.reset();
  if (firmware && before == Phase::kUp && !suspended) firmware->halt();
  if (before != Phase::kUnplugged) power_down();
  config.mmu_irq.detach();
  config.gpu_irq.detach();
  firmware.reset();
  config.frames.set_reclaimer(nullptr);
}

// Also after a bring-up that got stuck half-way.
void Device::State::power_down() {
  if (firmware) firmware->stop();
  spaces.drop_all(phase == Phase::kGoingDown ? AddressSpaces::Registers::kDisable
                                             : AddressSpaces::Registers::kForget);
  spaces.mask_interrupts();
  gpu.mask_interrupt();
  static_cast<void>(gpu.power_off());
  // Clients still see the page; caches that have no power hold nothing.
  config.user_page.word->store(datasheet::user_page::kSuspendedFlushId, std::memory_order_release);
}

void Device::State::settle() {
  // A job may end only when its time is up.
  constexpr Duration kStep = milliseconds(1);
  for (bool quiet = false;;) {
    for (const Lane lane : kLanes) config.executor.lane(lane).drain();
    cleanup.drain();
    config.executor.lane(Lane::kCleanup).drain();  // spare table pages
    const bool busy = scheduler->totals().in_flight != 0 || reset_pending.load();
    if (busy) config.executor.clock().sleep(kStep);
    // What one round left over, the next has seen.
    if (!busy && quiet) return;
    quiet = !busy;
  }
}

void Device::State::request_reset(const char* why) noexcept {
  if (phase.load() != Phase::kUp || reset_pending.exchange(true)) return;
  reset_reason = why;
  scheduler_lane.queue(reset_work);
}

// Whatever asks for a reset meanwhile gets this one.
void Device::State::reset() {
  if (suspended) {
    // What it was to cure has no power. The firmware's memory is not trusted, though.
    sections = Firmware::Sections::kReloaded;
    reset_pending = false;
    return;
  }
  log_error(kRoom, "reset: {}", reset_reason.load());
  scheduler->suspend_all();
  firmware->stop();
  spaces.mask_interrupts();
  // Before the reset: page-table updates that start now find no slot and leave the device alone.
  spaces.drop_all(AddressSpaces::Registers::kForget);
  const Result<> restarted = restart();
  resets.fetch_add(1);
  if (!restarted) unplug(restarted.error());
  reset_pending = false;
  scheduler->resume_all(restarted ? Scheduler::After::kReset : Scheduler::After::kResetFailed);
}

void Device::State::unplug(Errno why) {
  log_error(kRoom, "the device does not come up again ({}): unplugged", pantry::name_of(why));
  phase = Phase::kUnplugged;
  power_down();
}

void Device::State::busy() noexcept { is_busy = true; }

void Device::State::idle() noexcept {
  is_busy = false;
  if (config.autosuspend_delay)
    scheduler_lane.queue_at(suspend_work,
                            config.executor.clock().now() + *config.autosuspend_delay);
}

// errata B.3.
void Device::State::autosuspend() {
  if (phase != Phase::kUp || suspended || reset_pending.load()) return;
  if (is_busy.load() || !scheduler->is_idle()) return;
  scheduler->suspend_all();
  sections = firmware->halt() ? Firmware::Sections::kKept : Firmware::Sections::kReloaded;
  firmware->stop();
  spaces.drop_all(AddressSpaces::Registers::kDisable);
  spaces.mask_interrupts();
  if (!gpu.soft_reset()) sections = Firmware::Sections::kReloaded;
  gpu.mask_interrupt();
  static_cast<void>(gpu.power_off());
  config.user_page.word->store(datasheet::user_page::kSuspendedFlushId, std::memory_order_release);
  suspended = true;
}

void Device::State::wake() {
  if (!suspended) return;
  gpu.unmask_interrupt();
  Result<> up = Error(Errno::kTimedOut);
  if (sections == Firmware::Sections::kKept) {
    up = gpu.power_on();
    if (up) {
      spaces.unmask_interrupts();
      up = firmware->boot(Firmware::Sections::kKept);
    }
  }
  // From the beginning, once.
  if (!up) up = restart();
  if (!up) unplug(up.error());
  suspended = false;
  scheduler->resume_all(up ? Scheduler::After::kReset : Scheduler::After::kResetFailed);
}

// For somebody who reads a register: up, and for as long as the delay again.
void Device::State::stay_awake() {
  if (phase != Phase::kUp) return;
  wake();
  idle();
}

Result<> Device::State::restart() {
  PANTRY_TRY(gpu.soft_reset());
  PANTRY_TRY(gpu.power_on());
  spaces.unmask_interrupts();
  return firmware->boot(Firmware::Sections::kReloaded);
}

const GpuInfo& Device::gpu_info() const { return state_->info; }
const CsifInfo& Device::csif_info() const { return state_->csif; }
GpuTime Device::gpu_time() {
  if (state_->config.autosuspend_delay) {
    state_->scheduler_lane.queue(state_->wake_work);
    state_->scheduler_lane.flush(state_->wake_work);
  }
  return state_->gpu.read_time();
}
std::uint64_t Device::timestamp_hz() const { return state_->config.timestamp_hz; }
VmDevice& Device::vm_device() { return state_->vm_device; }
BufferStore& Device::buffers() { return state_->buffers; }
BufferNames& Device::buffer_names() { return state_->buffer_names; }
Scheduler& Device::scheduler() { return *state_->scheduler; }
AddressSpaces& Device::spaces() { return state_->spaces; }
PagePool& Device::pages() { return state_->pages; }
Shrinker& Device::shrinker() { return state_->shrinker; }
std::vector<Ref<Vm>> Device::vms() {
  std::vector<Ref<Vm>> vms;
  if (state_->firmware) vms.push_back(Ref<Vm>::share(state_->firmware->vm()));
  MutexLock lock(state_->nodes.mutex);
  for (File* const file : state_->nodes.files)
    for (Ref<Vm>& vm : file->vms()) vms.push_back(std::move(vm));
  return vms;
}
std::uint64_t Device::core_hz() const { return state_->config.core_hz; }
Cleanup& Device::cleanup() { return state_->cleanup; }
Executor& Device::executor() { return state_->config.executor; }

bool Device::unplugged() const noexcept { return state_->phase.load() == State::Phase::kUnplugged; }
void Device::settle() {
  check_may_wait("Device::settle");
  state_->settle();
}
void Device::request_reset(const char* why) noexcept { state_->request_reset(why); }
bool Device::suspended() const noexcept { return state_->suspended.load(); }
std::uint64_t Device::resets() const noexcept { return state_->resets.load(); }
std::vector<Device::FaultRecord> Device::faults() const { return state_->fault_log.faults(); }
Device::Nodes& Device::nodes() { return state_->nodes; }

}  // namespace pantry::driver
