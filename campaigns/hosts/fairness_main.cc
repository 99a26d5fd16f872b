// SPDX-License-Identifier: MIT
//
// fairness [--quick] [--seed N]: how the device is shared, in virtual time, in many orders of
// events.
//
//   share     twice as many busy groups as there are group slots, each in a VM of its own, so that
//             there are more VMs than address spaces: over one second each comes to between half
//             and twice its fair share of the work
//   realtime  while they are busy, a job of a realtime group is done within 10 ms
//   hang      a job that waits for ever ends with ETIMEDOUT when its 5 s are over, and its
//             neighbours, who fill the other slots, lose no job. Without --quick also one that
//             loops for ever
//
// The campaign is scripts/campaign fairness.
#include <drm.h>
#include <drm/panthor_drm.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "driver/kernel/sim_executor.h"
#include "gpu_emu/datasheet/builder.h"
#include "gpu_emu/datasheet/cs_data_instructions.h"
#include "gpu_emu/datasheet/cs_flow_instructions.h"
#include "gpu_emu/datasheet/cs_run_instructions.h"
#include "gpu_emu/datasheet/cs_sync_instructions.h"
#include "uapi/machine/local_client.h"

namespace {

using namespace pantry;
namespace isa = datasheet::isa;

constexpr unsigned kBindThreads = 2;
constexpr std::uint64_t kSeeds = 10, kQuickSeeds = 1;
constexpr Duration kSecond = seconds(1);
constexpr Duration kRealtimeLimit = milliseconds(10);
constexpr int kRealtimeJobs = 20;
constexpr Duration kJobLimit = seconds(5);
// A tick and what it takes to end the group.
constexpr Duration kTimeoutSlack = milliseconds(200);
// Of one piece of work, a hundred of which fit between two ticks.
constexpr Duration kEndpointTime = microseconds(100);
constexpr std::uint64_t kDramBytes = 512 * kMiB;

constexpr std::uint64_t kVa = 0x100'0000;
constexpr std::uint64_t kData = 0;     // in the buffer: what streams store
constexpr std::uint64_t kObject = 64;  // a sync object that nobody signals
constexpr std::uint64_t kCode = 2048;  // the stream
constexpr auto kSignal = static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
constexpr isa::Reg64 kAddress{68};
constexpr isa::Reg32 kValue{70};

void must(uapi::LocalClient& client, std::uint32_t command, void* argument) {
  if (const int result = client.ioctl(command, argument); result != 0) {
    fmt::print(stderr, "the campaign's own ioctl {:#x} fails: {}\n", command, result);
    std::abort();
  }
}

// A client with one VM, one buffer and one group.
class Tenant {
 public:
  Tenant(uapi::Machine& machine, driver::Executor& executor, std::uint8_t priority)
      : executor_(executor),
        client_(machine, driver::NodeType::kRender, {.pid = 1, .sys_nice = true}) {
    drm_panthor_vm_create vm{};
    must(client_, DRM_IOCTL_PANTHOR_VM_CREATE, &vm);
    drm_panthor_bo_create bo{};
    bo.size = kPageSize;
    must(client_, DRM_IOCTL_PANTHOR_BO_CREATE, &bo);
    buffer_ = client_.session().file().buffer(bo.handle);
    drm_panthor_vm_bind_op op{};
    op.bo_handle = bo.handle;
    op.va = kVa;
    op.size = kPageSize;
    drm_panthor_vm_bind bind{};
    bind.vm_id = vm.id;
    bind.ops = {sizeof op, 1, reinterpret_cast<std::uint64_t>(&op)};
    must(client_, DRM_IOCTL_PANTHOR_VM_BIND, &bind);
    drm_panthor_queue_create queue{0, {}, 4096};
    drm_panthor_group_create group{};
    group.queues = {sizeof queue, 1, reinterpret_cast<std::uint64_t>(&queue)};
    group.max_compute_cores = 1;
    group.max_fragment_cores = 1;
    group.max_tiler_cores = 1;
    group.priority = priority;
    group.compute_core_mask = 1;
    group.fragment_core_mask = 1;
    group.tiler_core_mask = 1;
    group.vm_id = vm.id;
    must(client_, DRM_IOCTL_PANTHOR_GROUP_CREATE, &group);
    group_ = group.group_handle;
    drm_syncobj_create done{};
    must(client_, DRM_IOCTL_SYNCOBJ_CREATE, &done);
    done_ = done.handle;
  }

  // Endpoint work without end; counts in memory how much of it was done.
  void start_counting() {
    std::array<std::uint64_t, 8> words{};
    datasheet::CsBuilder stream(words);
    stream.add(isa::Move48{.dst = kAddress, .imm = kVa + kData});
    stream.add(isa::Move32{.dst = kValue, .imm = 0});
    stream.add(isa::ReqResource{.compute = true});
    stream.add(isa::RunCompute{});
    stream.add(isa::Wait{.mask = isa::kAllScoreboards});
    stream.add(isa::AddImm32{.dst = kValue, .src = kValue, .imm = 1});
    stream.add(isa::StoreMultiple{.base = kValue, .address = kAddress, .mask = 1});
    stream.add(isa::Branch{.offset = -5});
    submit(stream);
  }
  // Waits for what never comes.
  void start_waiting() {
    std::array<std::uint64_t, 8> words{};
    datasheet::CsBuilder stream(words);
    stream.add(isa::Move48{.dst = kAddress, .imm = kVa + kObject});
    stream.add(isa::Move32{.dst = kValue, .imm = 0});
    stream.add(isa::SyncWait32{
        .address = kAddress, .reference = kValue, .condition = isa::SyncCondition::kGreater});
    submit(stream);
  }
  void start_storing(std::uint32_t value) {
    std::array<std::uint64_t, 8> words{};
    datasheet::CsBuilder stream(words);
    stream.add(isa::Move48{.dst = kAddress, .imm = kVa + kData});
    stream.add(isa::Move32{.dst = kValue, .imm = value});
    stream.add(isa::StoreMultiple{.base = kValue, .address = kAddress, .mask = 1});
    stream.add(isa::Wait{.mask = isa::kAllScoreboards});
    submit(stream);
  }
  // The status of the last job, once it has one; 0 when it has none within `limit`.
  int finish(Duration limit) {
    drm_syncobj_wait args{};
    args.handles = reinterpret_cast<std::uint64_t>(&done_);
    args.count_handles = 1;
    args.timeout_nsec = (executor_.clock().now() + limit).ns;
    const int result = client_.call(DRM_IOCTL_SYNCOBJ_WAIT, args);
    return result == 0 ? client_.session().file().syncobj(done_)->fence()->status() : 0;
  }
  std::uint32_t word() const {
    std::uint32_t value = 0;
    if (!buffer_->read(kData, &value, sizeof value)) std::abort();
    return value;
  }

 private:
  void submit(const datasheet::CsBuilder& stream) {
    if (!buffer_->write(kCode, stream.words().data(), stream.bytes())) std::abort();
    drm_panthor_sync_op sync{kSignal, done_, 0};
    drm_panthor_queue_submit job{};
    job.stream_addr = kVa + kCode;
    job.stream_size = static_cast<std::uint32_t>(stream.bytes());
    job.syncs = {sizeof sync, 1, reinterpret_cast<std::uint64_t>(&sync)};
    drm_panthor_group_submit args{};
    args.group_handle = group_;
    args.queue_submits = {sizeof job, 1, reinterpret_cast<std::uint64_t>(&job)};
    must(client_, DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &args);
  }

  driver::Executor& executor_;
  uapi::LocalClient client_;
  Ref<driver::Buffer> buffer_;
  std::uint32_t group_ = 0;
  std::uint32_t done_ = 0;
};

struct Figures {
  double least = 1e9, most = 0;  // shares, in fair ones
  Duration slowest_realtime;
  Duration latest_timeout;
  std::uint64_t neighbour_jobs = 0;
};

class Scene {
 public:
  explicit Scene(std::uint64_t seed) : executor_(seed, kBindThreads) {
    uapi::MachineConfig config;
    config.dram_bytes = kDramBytes;
    config.memory = uapi::MachineConfig::Memory::kArena;
    config.checker = uapi::MachineConfig::Check::kOff;
    config.quirks.endpoint_time = kEndpointTime;
    auto machine = uapi::Machine::create(executor_, config);
    if (!machine) std::abort();
    machine_ = *std::move(machine);
  }

  std::string share(Figures& figures) {
    const std::uint32_t count = 2 * slots();
    std::vector<std::unique_ptr<Tenant>> tenants = new_tenants(count);
    for (const auto& tenant : tenants) tenant->start_counting();
    std::vector<std::uint32_t> before;
    for (const auto& tenant : tenants) before.push_back(tenant->word());
    const std::uint64_t first = machine_->gpu().dump().firmware.instructions;
    executor_.clock().sleep(kSecond);
    double sum = 0;
    for (std::uint32_t n = 0; n < count; ++n) sum += tenants[n]->word() - before[n];
    if (machine_->gpu().dump().firmware.instructions == first) return "the device stands still";
    for (std::uint32_t n = 0; n < count; ++n) {
      const double share = (tenants[n]->word() - before[n]) / (sum / count);
      figures.least = std::min(figures.least, share);
      figures.most = std::max(figures.most, share);
      if (share < 0.5 || share > 2)
        return fmt::format("group {} of {} came to {:.2f} of its fair share", n + 1, count, share);
    }
    return realtime(figures);
  }

  std::string hang(Figures& figures, void (Tenant::*start)()) {
    std::vector<std::unique_ptr<Tenant>> neighbours = new_tenants(slots() - 2);
    Tenant hung(*machine_, executor_, PANTHOR_GROUP_PRIORITY_MEDIUM);
    const TimePoint begin = executor_.clock().now();
    (hung.*start)();
    int status = 0;
    std::uint32_t value = 0;
    while ((status = hung.finish(milliseconds(5))) == 0) {
      ++value;
      for (const auto& neighbour : neighbours) neighbour->start_storing(value);
      for (const auto& neighbour : neighbours) {
        if (const int result = neighbour->finish(seconds(1)); result != 1)
          return fmt::format("a job of a neighbour ends with {}", result);
        if (neighbour->word() != value) return "a neighbour's word is wrong";
        ++figures.neighbour_jobs;
      }
      if (executor_.clock().now() - begin > kJobLimit + kJobLimit) break;
    }
    const Duration taken = executor_.clock().now() - begin;
    figures.latest_timeout = std::max(figures.latest_timeout, taken);
    if (status != -ETIMEDOUT) return fmt::format("the job that hangs ends with {}", status);
    if (taken < kJobLimit || taken > kJobLimit + kTimeoutSlack)
      return fmt::format("the job that hangs ends after {} ms", taken.ns / 1'000'000);
    if (machine_->device().resets() != 0) return "the device was reset";
    return {};
  }

 private:
  std::uint32_t slots() { return machine_->device().csif_info().csg_slot_count; }
  std::vector<std::unique_ptr<Tenant>> new_tenants(std::uint32_t count) {
    std::vector<std::unique_ptr<Tenant>> tenants;
    for (std::uint32_t n = 0; n < count; ++n)
      tenants.push_back(
          std::make_unique<Tenant>(*machine_, executor_, PANTHOR_GROUP_PRIORITY_MEDIUM));
    return tenants;
  }
  // While others are busy.
  std::string realtime(Figures& figures) {
    Tenant realtime(*machine_, executor_, PANTHOR_GROUP_PRIORITY_REALTIME);
    for (std::uint32_t n = 1; n <= kRealtimeJobs; ++n) {
      // At another moment of the tick each time.
      executor_.clock().sleep(microseconds(1300 * n % 10'000));
      const TimePoint begin = executor_.clock().now();
      realtime.start_storing(n);
      if (const int status = realtime.finish(seconds(2)); status != 1)
        return fmt::format("a realtime job ends with {}", status);
      if (realtime.word() != n) return "a realtime job has stored nothing";
      const Duration taken = executor_.clock().now() - begin;
      figures.slowest_realtime = std::max(figures.slowest_realtime, taken);
      if (taken > kRealtimeLimit) return fmt::format("a realtime job takes {} us", taken.ns / 1000);
      // Idle long enough to have lost its slot to those who wait.
      executor_.clock().sleep(milliseconds(15));
    }
    return {};
  }

  driver::SimExecutor executor_;
  std::unique_ptr<uapi::Machine> machine_;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t seeds = kSeeds;
  bool quick = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
      seeds = kQuickSeeds;
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      first = std::strtoull(argv[++i], nullptr, 0);
    } else {
      fmt::print(stderr, "usage: fairness [--quick] [--seed N]\n");
      return 2;
    }
  }
  set_log_level(LogLevel::kError);
  const auto start = std::chrono::steady_clock::now();
  Figures figures;
  unsigned findings = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const auto judge = [&](const char* scene, const std::string& wrong) {
      if (wrong.empty()) return;
      fmt::print("FOUND {}, --seed {}: {}\n", scene, seed, wrong);
      ++findings;
    };
    judge("share", Scene(seed).share(figures));
    judge("hang (wait)", Scene(seed).hang(figures, &Tenant::start_waiting));
    if (!quick) judge("hang (loop)", Scene(seed).hang(figures, &Tenant::start_counting));
  }
  fmt::print(
      "fairness: {} orders of events: shares of {:.2f} to {:.2f} of the fair one; realtime within "
      "{} us; a job that hangs ends after {} ms, {} jobs beside it are whole; {} findings, {} s\n",
      seeds, figures.least, figures.most, figures.slowest_realtime.ns / 1000,
      figures.latest_timeout.ns / 1'000'000, figures.neighbour_jobs, findings,
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start)
          .count());
  return findings == 0 ? 0 : 1;
}
