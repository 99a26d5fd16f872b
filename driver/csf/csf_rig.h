// SPDX-License-Identifier: MIT
//
// For tests only: firmware, scheduler and VMs over FakeGpu, under any executor. Whatever a test
// leaves behind that a correct driver would have given back is a failure of that test.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "driver/csf/fake_gpu.h"
#include "driver/csf/scheduler.h"
#include "driver/gem/arena_backing.h"
#include "driver/gem/buffer_store.h"
#include "driver/kernel/each_executor.h"
#include "driver/provision/page_pool.h"

namespace pantry::driver {

// An interrupt line that calls a member function of `Owner` on Lane::kIrq.
template <class Owner, void (Owner::*Method)()>
class FakeLine final : public emu::IrqLine, private Work {
 public:
  FakeLine(Owner& owner, WorkLane& lane) : owner_(owner), lane_(lane) {}
  ~FakeLine() { lane_.cancel(*this); }
  void set(bool level) override {
    level_ = level;
    if (level) lane_.queue(*this);
  }

 private:
  void run() override {
    (owner_.*Method)();
    if (level_) lane_.queue(*this);
  }
  Owner& owner_;
  WorkLane& lane_;
  std::atomic<bool> level_{false};
};

// The minimal firmware image: one shared, zeroed section of 80 KiB.
inline constexpr std::array<std::uint8_t, 44> kFakeImage = {
    0x6e, 0x3a, 0xf1, 0xc3, 3, 0,    0, 0, 0, 0,    0, 0,    0, 0, 0, 0, 0x2c, 0, 0, 0, 0, 0x18,
    0,    0,    0x13, 0,    0, 0xc0, 0, 0, 0, 0x04, 0, 0x40, 1, 4, 0, 0, 0,    0, 0, 0, 0, 0};

inline constexpr auto kMedium = GroupPriority::kMedium;
// Addresses of streams; what happens there is scripted.
inline constexpr std::uint64_t kDone = 0x10'0000;
inline constexpr std::uint64_t kHang = 0x20'0000;
inline constexpr std::uint64_t kOther = 0x30'0000;

class CsfRig final : private ResetRequest, private CacheFlusher, private VmFaultListener {
 public:
  static constexpr std::uint64_t kDramBytes = 64 * kMiB;
  static constexpr PhysAddr kBase{0x8000'0000};

  explicit CsfRig(Executor& on)
      : executor(on),
        frames({kBase, kDramBytes}, {FrameAllocator::Placement::kScatter, 3, nullptr}),
        no_line_(*this, on.lane(Lane::kIrq)),
        job_line_(*this, on.lane(Lane::kIrq)),
        mmu_line_(*this, on.lane(Lane::kIrq)),
        gpu(dram, no_line_, job_line_, mmu_line_),
        buffers(frames, dram, backing_),
        pages(frames, dram),
        spaces(gpu, on.clock(), 0x0f, *this, *this),
        cleanup(on.lane(Lane::kCleanup)),
        device{on, cleanup, dram, spaces, buffers, pages, *this} {
    spaces.unmask_interrupts();
    gpu.write32(datasheet::gpu_control::kL2PwrOn, 1);
    auto loaded = Firmware::load(
        {.device = device, .mmio = gpu, .reset = *this, .shader_present = 0x5'0005}, kFakeImage);
    EXPECT_TRUE(loaded.has_value());
    firmware = std::move(*loaded);
  }
  // Boots, and starts the scheduler.
  void start(Scheduler::Config::FaultErrors errors) {
    ASSERT_TRUE(firmware->boot(Firmware::Sections::kKept).has_value());
    scheduler = std::make_unique<Scheduler>(Scheduler::Config{executor, cleanup, dram, *firmware,
                                                              spaces, *this, pages.faults(), *this,
                                                              reset_pending, errors});
    firmware->set_listener(scheduler.get());
  }
  void start() { start(Scheduler::Config::FaultErrors::kInheritOnly); }
  ~CsfRig() {
    for (const Ref<Group>& group : groups_) group->destroy();
    groups_.clear();
    settle();
    firmware->set_listener(nullptr);
    scheduler.reset();
    firmware->stop();
    spaces.drop_all(AddressSpaces::Registers::kDisable);
    spaces.mask_interrupts();
    settle();
    firmware.reset();
    EXPECT_EQ(buffers.totals(), BufferStore::Totals{});
    gpu.with_firmware([](FakeFirmware& fake) { EXPECT_EQ(fake.mistake, nullptr); });
    munmap(dram.host, kDramBytes);
  }

  void settle() {
    for (int round = 0; round < 3; ++round) {
      for (const Lane lane : kLanes) executor.lane(lane).drain();
      cleanup.drain();
    }
  }
  // Device time passes for the fake; virtual time under simulation.
  void sleep(Duration time) { executor.clock().sleep(time); }
  // As Device does: runs on Lane::kScheduler and waits for it.
  void reset(Scheduler::After how) {
    reset_how_ = how;
    executor.lane(Lane::kScheduler).queue(reset_work_);
    executor.lane(Lane::kScheduler).flush(reset_work_);
  }

  Ref<Vm> new_vm() { return Vm::create(device, 0).value(); }
  static GroupArgs group_args(GroupPriority priority, std::uint32_t queues) {
    GroupArgs args;
    args.priority = priority;
    args.max_compute_cores = 4;
    args.max_fragment_cores = 4;
    args.max_tiler_cores = 1;
    args.compute_core_mask = args.fragment_core_mask = 0x5'0005;
    args.tiler_core_mask = 1;
    for (std::uint32_t i = 0; i < queues; ++i) args.queues.push_back({0, 4096});
    return args;
  }
  // Destroyed with the rig, as a file does with its groups when it is closed.
  Ref<Group> new_group(const Ref<Vm>& vm, GroupPriority priority, std::uint32_t queues) {
    groups_.push_back(new_unowned_group(vm, priority, queues));
    return groups_.back();
  }
  Ref<Group> new_unowned_group(const Ref<Vm>& vm, GroupPriority priority, std::uint32_t queues) {
    return scheduler->create_group(vm, group_args(priority, queues)).value();
  }
  // Submits a call of the stream at `stream`; its fence.
  static Ref<Fence> submit(Group& group, std::uint32_t queue, std::uint64_t stream) {
    Ref<Job> job = group.prepare_job(queue, {stream}, stream == 0 ? 0 : 64, 0).value();
    Ref<Fence> done = job->done();
    group.push(queue, std::move(job));
    return done;
  }
  // The status of `fence` once it has signalled; 0 when it does not within a minute.
  int result(Fence& fence) {
    return wait_for(fence, executor.clock().now() + seconds(60)) ? fence.status() : 0;
  }
  void script(std::uint64_t stream, const FakeFirmware::Script& script) {
    gpu.with_firmware([&](FakeFirmware& fake) { fake.scripts[stream] = script; });
  }
  std::uint32_t resets_wanted() const { return resets_wanted_.load(); }

  Executor& executor;
  const emu::Dram dram{
      kBase, kDramBytes,
      static_cast<std::uint8_t*>(mmap(nullptr, kDramBytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))};
  FrameAllocator frames;

 private:
  void handle_nothing() {}
  void handle_job() { firmware->handle_interrupt(); }
  void handle_mmu() { spaces.handle_interrupt(); }
  void request_reset(const char*) noexcept override {
    resets_wanted_.fetch_add(1);
    reset_pending = true;
  }
  Outcome flush_all_caches() noexcept override { return flush_outcome.load(); }
  void on_vm_fault(Vm& vm, const MmuFault& fault) noexcept override {
    scheduler->on_vm_fault(vm, fault);
  }
  void run_reset() {
    scheduler->suspend_all();
    firmware->stop();
    spaces.mask_interrupts();
    spaces.drop_all(AddressSpaces::Registers::kForget);
    gpu.write32(datasheet::gpu_control::kCommand, 0x101);
    gpu.write32(datasheet::gpu_control::kL2PwrOn, 1);
    spaces.unmask_interrupts();
    if (reset_how_ == Scheduler::After::kReset) {
      EXPECT_TRUE(firmware->boot(Firmware::Sections::kReloaded).has_value());
    }
    reset_pending = false;
    scheduler->resume_all(reset_how_);
  }

  FakeLine<CsfRig, &CsfRig::handle_nothing> no_line_;
  FakeLine<CsfRig, &CsfRig::handle_job> job_line_;
  FakeLine<CsfRig, &CsfRig::handle_mmu> mmu_line_;
  ArenaBacking backing_{dram};
  Scheduler::After reset_how_ = Scheduler::After::kReset;
  MemberWork<CsfRig, &CsfRig::run_reset> reset_work_{*this};
  std::atomic<std::uint32_t> resets_wanted_{0};
  std::vector<Ref<Group>> groups_;

 public:
  FakeGpu gpu;
  BufferStore buffers;
  PagePool pages;
  AddressSpaces spaces;
  Cleanup cleanup;
  VmDevice device;
  std::atomic<bool> reset_pending{false};
  std::atomic<Outcome> flush_outcome{Outcome::kDone};
  std::unique_ptr<Firmware> firmware;
  std::unique_ptr<Scheduler> scheduler;
};

// Runs `body(rig)` with a scheduler that is up.
template <class Body>
void for_each_rig(Body body) {
  for_each_executor(2, [&](Executor& executor) {
    CsfRig rig(executor);
    rig.start();
    body(rig);
  });
}
// For what takes seconds. kFew: and very many steps.
enum class Seeds { kAll, kFew };
template <class Body>
void for_each_simulated_rig(Seeds seeds, Body body) {
  std::uint32_t left = seeds == Seeds::kFew ? 5 : UINT32_MAX;
  for_each_seed(2, [&](SimExecutor& executor) {
    if (left-- == 0) return void(++left);
    CsfRig rig(executor);
    rig.start();
    body(rig);
  });
}

// A negated errno, as fences report it.
constexpr int negative(Errno error) { return negated(error); }

}  // namespace pantry::driver
