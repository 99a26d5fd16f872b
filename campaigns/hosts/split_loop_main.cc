// SPDX-License-Identifier: MIT
//
// split_loop [--quick] [--seed N] [--binds N]: a job reads and writes the outer parts of a range in
// a loop (kept_halves_job.h) while the middle is unmapped, mapped from elsewhere and from the same
// memory, and the outer parts themselves are mapped again to where they are: 100,000 binds with
// each kind of caching, synchronous ones and batches, blocks of 2 MiB split and joined all the
// time. A fault, a wrong word or a report of the MMU checker is a finding. Then the same with
// registers that lose the lock, or lock and flush: the job must notice. The campaign is
// scripts/campaign split-loop.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "campaigns/hosts/kept_halves_job.h"
#include "campaigns/hosts/lossy_registers.h"
#include "driver/kernel/thread_executor.h"

namespace pantry::campaigns {
namespace {

using Caching = emu::Quirks::Caching;
using Lost = LossyRegisters::Lost;

constexpr std::uint64_t kBinds = 100'000;
constexpr std::uint64_t kQuickBinds = 2'000;
// Those that must be noticed have so many to be noticed in.
constexpr std::uint64_t kControlBinds = 50'000;
constexpr unsigned kBindThreads = 2;
constexpr std::uint64_t kMostInBatch = 4;
constexpr std::uint64_t kOtherVa = 0x7000'0000;

struct Setting {
  const char* name;
  Caching caching;
  Lost lost;
};
constexpr Setting kSettings[] = {
    {"coherent", Caching::kCoherent, Lost::kNothing},
    {"real", Caching::kReal, Lost::kNothing},
    {"sticky", Caching::kSticky, Lost::kNothing},
    {"speculative", Caching::kSpeculative, Lost::kNothing},
};
// What must be noticed, and by the job alone: the checker is off.
constexpr Setting kControls[] = {
    {"coherent without locks", Caching::kCoherent, Lost::kLock},
    {"sticky without flushes", Caching::kSticky, Lost::kLockAndFlush},
};

class Binder {
 public:
  Binder(uapi::Machine& machine, std::uint64_t seed)
      : client_(machine),
        vm_(client_.create_vm()),
        other_vm_(client_.create_vm()),
        strange_(client_.create_buffer(KeptHalvesJob::kSize, 0)),
        done_(client_.create_syncobj()),
        job_(client_, vm_),
        random_(seed) {}

  // What was found, if anything.
  std::optional<std::string> run(std::uint64_t binds) {
    while (binds_ < binds) {
      std::vector<drm_panthor_vm_bind_op> ops(1 + roll(kMostInBatch));
      for (drm_panthor_vm_bind_op& op : ops) op = random_op();
      bind(vm_, ops);
      binds_ += ops.size();
      if (const auto switched = std::exchange(switched_, std::nullopt)) {
        if (auto finding = job_.expect_switched(*switched)) return finding;
      }
      if (auto finding = job_.look()) return finding;
      if (roll(4) == 0) disturb();
    }
    return job_.finish();
  }

  std::uint64_t binds() const { return binds_; }
  std::uint64_t rounds() { return job_.rounds(); }

 private:
  using Job = KeptHalvesJob;

  std::uint64_t roll(std::uint64_t below) { return random_() % below; }
  std::uint64_t page_in(std::uint64_t first, std::uint64_t end) {
    return first + roll((end - first) / kPageSize) * kPageSize;
  }
  // Some of [first, end), at most `most`.
  GpuRange part_of(std::uint64_t first, std::uint64_t end, std::uint64_t most) {
    const std::uint64_t start = page_in(first, end);
    const std::uint64_t size = (1 + roll(std::min(end - start, most) / kPageSize)) * kPageSize;
    return GpuRange::of_size({start}, size);
  }

  drm_panthor_vm_bind_op random_op() {
    constexpr std::uint64_t kAll = Job::kSize;
    switch (roll(8)) {
      case 0:  // from one outer block to the other: both are split
        return unmap({{page_in(Job::kMiddle, Job::kBlock)},
                      {page_in(2 * Job::kBlock, Job::kMiddleEnd) + kPageSize - 1}});
      case 1:
        return unmap(part_of(Job::kMiddle, Job::kMiddleEnd, kAll));
      case 2:
        return map(strange_, part_of(Job::kMiddle, Job::kMiddleEnd, kAll));
      case 3:
        return map(job_.home(), part_of(Job::kMiddle, Job::kMiddleEnd, kAll));
      case 4:  // joined again, under the job's hands
        return map(job_.home(), GpuRange::of_size({0}, kAll));
      case 5:  // a few pages to where they are
        return map(job_.home(), part_of(0, kAll, 16 * kPageSize));
      case 6:
        return map(job_.home(), GpuRange::of_size({roll(3) * Job::kBlock}, Job::kBlock));
      default: {
        const auto which = static_cast<unsigned>(roll(2));
        switched_ = which;
        const bool whole = roll(2) == 0;
        return DirectClient::map(job_.switched(which), whole ? 0 : Job::kSwitchPage,
                                 Job::kSwitchVa + (whole ? 0 : Job::kSwitchPage),
                                 whole ? Job::kBlock : kPageSize);
      }
    }
  }
  static drm_panthor_vm_bind_op map(std::uint32_t buffer, GpuRange offsets) {
    return DirectClient::map(buffer, offsets.first.value, Job::kVa + offsets.first.value,
                             offsets.size());
  }
  static drm_panthor_vm_bind_op unmap(GpuRange offsets) {
    return DirectClient::unmap(Job::kVa + offsets.first.value, offsets.size());
  }

  // In one call each: synchronously, one by one; or all ready at once, so that they share a flush.
  void bind(std::uint32_t vm, std::vector<drm_panthor_vm_bind_op>& ops) {
    if (roll(2) == 0) {
      PANTRY_CHECK(client_.bind(vm, 0, ops) == 0);
      return;
    }
    drm_panthor_sync_op sync{static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), done_, 0};
    ops.back().syncs = {sizeof sync, 1, reinterpret_cast<std::uint64_t>(&sync)};
    PANTRY_CHECK(client_.bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, ops) == 0);
    PANTRY_CHECK(client_.finish(done_) == 1);
  }
  // Another VM takes the table pages that were given back, and writes them.
  void disturb() {
    std::vector<drm_panthor_vm_bind_op> ops{DirectClient::map(strange_, 0, kOtherVa, 64 * kKiB),
                                            DirectClient::unmap(kOtherVa, 64 * kKiB)};
    bind(other_vm_, ops);
  }

  DirectClient client_;
  const std::uint32_t vm_;
  const std::uint32_t other_vm_;
  const std::uint32_t strange_;
  const std::uint32_t done_;
  KeptHalvesJob job_;
  std::mt19937_64 random_;
  std::optional<unsigned> switched_;
  std::uint64_t binds_ = 0;
};

struct Outcome {
  std::optional<std::string> finding;
  std::uint64_t binds = 0;
  std::uint64_t rounds = 0;
};

Outcome run(const Setting& setting, std::uint64_t seed, std::uint64_t binds) {
  driver::ThreadExecutor executor(kBindThreads);
  LossyRegisters registers(setting.lost);
  uapi::MachineConfig config;
  config.dram_bytes = 256 * kMiB;
  config.quirks.caching = setting.caching;
  config.quirks.speculation_seed = seed;
  using Check = uapi::MachineConfig::Check;
  config.checker = setting.lost == Lost::kNothing ? Check::kReport : Check::kOff;
  config.seam = &registers;
  const auto machine = uapi::Machine::create(executor, config);
  PANTRY_CHECK(machine.has_value());
  Outcome outcome;
  {
    Binder binder(**machine, seed);
    outcome = {binder.run(binds), binder.binds(), binder.rounds()};
  }
  if (const auto mistakes = (*machine)->mistakes(); !outcome.finding && !mistakes.empty())
    outcome.finding = text_of(mistakes[0]);
  return outcome;
}

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t binds = kBinds;
};

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--quick") == 0)
      arguments.binds = kQuickBinds;
    else if (more && std::strcmp(argv[i], "--seed") == 0)
      arguments.seed = std::strtoull(argv[++i], nullptr, 0);
    else if (more && std::strcmp(argv[i], "--binds") == 0)
      arguments.binds = std::strtoull(argv[++i], nullptr, 0);
    else
      return std::nullopt;
  }
  return arguments;
}

int run_all(const Arguments& arguments) {
  set_log_level(LogLevel::kGap);
  driver::ThreadExecutor time(1);
  const TimePoint start = time.clock().now();
  std::uint64_t findings = 0, binds = 0, rounds = 0;
  for (const Setting& setting : kSettings) {
    const Outcome outcome = run(setting, arguments.seed, arguments.binds);
    binds += outcome.binds;
    rounds += outcome.rounds;
    fmt::print("{}: {} binds, {} rounds of the job\n", setting.name, outcome.binds, outcome.rounds);
    if (!outcome.finding) continue;
    ++findings;
    fmt::print("FOUND with {} caching, seed {}, within {} binds: {}\n", setting.name,
               arguments.seed, outcome.binds, *outcome.finding);
  }
  for (const Setting& control : kControls) {
    const Outcome outcome = run(control, arguments.seed, kControlBinds);
    if (outcome.finding) {
      fmt::print("{}: noticed within {} binds: {}\n", control.name, outcome.binds,
                 *outcome.finding);
    } else {
      ++findings;
      fmt::print("FOUND {}: not noticed in {} binds\n", control.name, outcome.binds);
    }
  }
  fmt::print(
      "split-loop: {} binds around {} rounds of a job, {} kinds of caching, seed {}; {} "
      "controls; {} findings, {} s\n",
      binds, rounds, std::size(kSettings), arguments.seed, std::size(kControls), findings,
      (time.clock().now() - start).ns / seconds(1).ns);
  return findings == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pantry::campaigns

int main(int argc, char** argv) {
  const auto arguments = pantry::campaigns::parse(argc, argv);
  if (!arguments) {
    fmt::print(stderr, "usage: split_loop [--quick] [--seed N] [--binds N]\n");
    return 2;
  }
  return pantry::campaigns::run_all(*arguments);
}
