// SPDX-License-Identifier: MIT
#include "uapi/machine/machine.h"

#include "driver/gem/arena_backing.h"
#include "driver/gem/window_backing.h"
#include "driver/memory/frame_allocator.h"
#include "driver/provision/page_pool.h"
#include "gpu_emu/checker/checker.h"
#include "gpu_emu/datasheet/model.h"
#include "uapi/machine/device_host.h"
#include "uapi/machine/firmware_image.h"
#include "uapi/machine/host_memory.h"

namespace pantry::uapi {
namespace {

driver::FrameAllocator::Options placement(const MachineConfig& config, emu::FrameOwner* owner) {
  using Placement = driver::FrameAllocator::Placement;
  return {
      config.memory == MachineConfig::Memory::kArena ? Placement::kScatter : Placement::kCompact,
      config.scatter_seed, owner};
}

// The checker with what it knows of frames.
struct CheckerParts {
  CheckerParts(const emu::Dram& dram, const MachineConfig& config)
      : ledger(dram),
        owner(config.frame_seam ? config.frame_seam->put_before(ledger) : ledger),
        checker(dram, {.order = emu::Checker::EditOrder::kLockEditUnlock,
                       .on_mistake = config.checker == MachineConfig::Check::kAbort
                                         ? emu::Checker::OnMistake::kAbort
                                         : emu::Checker::OnMistake::kKeep,
                       .ledger = &ledger}) {}
  emu::FrameLedger ledger;
  emu::FrameOwner& owner;  // the ledger, or what the seam has put before it
  emu::Checker checker;
};

std::unique_ptr<CheckerParts> checker_for(const MachineConfig& config, const emu::Dram& dram) {
  if (config.checker == MachineConfig::Check::kOff) return nullptr;
  return std::make_unique<CheckerParts>(dram, config);
}

emu::IrqLine* before(const MachineConfig& config, emu::IrqLine& line) {
  return config.irq_seam ? &config.irq_seam->put_before(line) : &line;
}

std::unique_ptr<driver::Backing> backing(const MachineConfig& config, emu::Dram dram) {
  if (config.memory == MachineConfig::Memory::kArena)
    return std::make_unique<driver::ArenaBacking>(dram);
  return std::make_unique<driver::WindowBacking>(dram);
}

}  // namespace

// In order of construction; destroyed from the last to the first.
struct Machine::State {
  State(driver::Executor& executor_, const MachineConfig& config, DramWindow window_,
        FlushIdPage flush_id_)
      : executor(executor_),
        features(features_of(config.uapi_minor)),
        limits(config.limits),
        window(std::move(window_)),
        flush_id(std::move(flush_id_)),
        checker(checker_for(config, window.dram())),
        frames({window.dram().base, window.dram().size},
               placement(config, checker ? &checker->owner : nullptr)),
        backing(uapi::backing(config, window.dram())),
        gpu_irq(executor.lane(driver::Lane::kIrq)),
        job_irq(executor.lane(driver::Lane::kIrq)),
        mmu_irq(executor.lane(driver::Lane::kIrq)),
        host(executor),
        gpu(config.model, config.quirks,
            {window.dram(), before(config, gpu_irq), before(config, job_irq),
             before(config, mmu_irq), flush_id.port(), &host, &host, nullptr},
            config.streams) {
    if (checker) gpu.attach(checker->checker);
    if (config.misbehaviour) gpu.attach(*config.misbehaviour);
  }

  driver::Executor& executor;
  const Features features;
  const driver::Limits limits;
  DramWindow window;
  FlushIdPage flush_id;
  std::unique_ptr<CheckerParts> checker;  // null: off
  driver::FrameAllocator frames;
  std::unique_ptr<driver::Backing> backing;
  driver::InterruptLine gpu_irq;
  driver::InterruptLine job_irq;
  driver::InterruptLine mmu_irq;
  DeviceHost host;
  emu::Gpu gpu;
  std::unique_ptr<driver::Device> device;
};

Result<std::unique_ptr<Machine>> Machine::create(driver::Executor& executor,
                                                 const MachineConfig& config) {
  PANTRY_TRY_ASSIGN(DramWindow window, DramWindow::map(config.dram_bytes));
  PANTRY_TRY_ASSIGN(FlushIdPage flush_id, FlushIdPage::map());
  auto state = std::make_unique<State>(executor, config, std::move(window), std::move(flush_id));
  executor.clock().set_heartbeat(&state->host);
  state->host.start(state->gpu);
  std::unique_ptr<Machine> machine(new Machine(std::move(state)));
  State& parts = *machine->state_;
  emu::Mmio& registers = config.seam ? config.seam->put_before(parts.gpu) : parts.gpu;
  PANTRY_TRY_ASSIGN(parts.device, driver::Device::probe(
                                      {.executor = executor,
                                       .mmio = registers,
                                       .dram = parts.window.dram(),
                                       .gpu_irq = parts.gpu_irq,
                                       .job_irq = parts.job_irq,
                                       .mmu_irq = parts.mmu_irq,
                                       .user_page = parts.flush_id.port(),
                                       .backing = *parts.backing,
                                       .frames = parts.frames,
                                       .firmware_image = kFirmwareImage,
                                       .fault_errors = parts.features.fault_errors,
                                       .counters = parts.features.counters,
                                       .timestamp_hz = config.model.timestamp_hz,
                                       .max_pending_table_pages = config.max_pending_table_pages,
                                       .core_hz = config.quirks.core_clock_hz,
                                       .autosuspend_delay = config.autosuspend_delay,
                                       .provisioning = config.provisioning,
                                       .swap_bytes = config.swap_bytes,
                                       .bind_times = config.bind_times}));
  return machine;
}

Machine::Machine(std::unique_ptr<State> state) : state_(std::move(state)) {}

Machine::~Machine() {
  state_->device.reset();
  state_->host.stop();
  state_->executor.join_spawned();
  state_->executor.clock().set_heartbeat(nullptr);
}

driver::Device& Machine::device() { return *state_->device; }
emu::Gpu& Machine::gpu() { return state_->gpu; }
const Features& Machine::features() const { return state_->features; }
int Machine::user_page_fd() const { return state_->flush_id.read_only_fd(); }

std::unique_ptr<Session> Machine::open(driver::NodeType node,
                                       const driver::Credentials& credentials) {
  return open(node, credentials, new_account(credentials.pid));
}

std::unique_ptr<Session> Machine::open(driver::NodeType node,
                                       const driver::Credentials& credentials,
                                       Ref<driver::Account> account) {
  return std::make_unique<Session>(*state_->device, state_->features, node, credentials,
                                   std::move(account));
}

Ref<driver::Account> Machine::new_account(std::int32_t pid, std::string program) const {
  return make_ref<driver::Account>(pid, state_->limits, std::move(program));
}

std::vector<emu::CheckerReport> Machine::mistakes() const {
  return state_->checker ? state_->checker->checker.reports() : std::vector<emu::CheckerReport>();
}

Machine::Baseline Machine::baseline() {
  state_->device->settle();
  const driver::PoolStatistics pool = state_->device->pages().statistics();
  return {.used_frames = state_->frames.statistics().used - pool.cached,
          .buffers = state_->device->buffers().totals().buffers,
          .groups = state_->device->scheduler().totals().groups,
          .lent_pages = pool.lent};
}

}  // namespace pantry::uapi
