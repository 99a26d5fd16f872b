// SPDX-License-Identifier: MIT
//
// alloc_faults [--quick]: makes each allocation that a VM_BIND reaches fail once: of the heap, of
// frames, of table pages. Each time the call must say ENOMEM and leave a log line, everything must
// be as before, and the same call must work when it is made again, which the GPU finds out. No
// site is named here: whatever asks for memory is found by counting. The same for what a submit
// allocates to bring an evicted buffer back. The campaign is scripts/campaign alloc-faults.
#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "campaigns/hosts/bind_scene.h"
#include "campaigns/hosts/call_sites.h"
#include "driver/heap_faults/heap_faults.h"
#include "driver/kernel/thread_executor.h"
#include "driver/provision/page_pool.h"
#include "driver/vm/shrinker.h"

namespace pantry::campaigns {
namespace {

using Memory = uapi::MachineConfig::Memory;

constexpr std::uint32_t kAsync = DRM_PANTHOR_VM_BIND_ASYNC;
// More than any of these binds is laid in.
constexpr std::uint32_t kStock = 64;

// Whose allocations fail, and whether the page pool has any pages to lend.
enum class Source { kHeap, kDevice };
enum class Pool { kStocked, kEmpty };

struct Expectation {
  std::uint64_t va;
  std::optional<std::uint32_t> word;  // none: the GPU faults there
};

struct Scenario {
  const char* name;
  std::uint32_t flags;
  std::vector<BindScene::Op> (*ops)(BindScene& scene);
  std::vector<Expectation> after;
};

constexpr std::uint64_t kHole = 2 * kMiB + 5 * kPageSize;  // in the old buffer: splits a block
constexpr std::uint64_t kHoleVa = BindScene::kOldVa + kHole;

std::uint32_t old_tag(std::uint64_t offset) {
  return BindScene::kOldTag + static_cast<std::uint32_t>(offset / kPageSize);
}
std::uint32_t fresh_tag(std::uint32_t page) { return BindScene::kFreshTag + page; }

BindScene::Op map_op(BindScene& scene) {
  return scene.map_fresh(BindScene::kFreshVa, 0, BindScene::kFreshSize);
}
BindScene::Op unmap_op() { return DirectClient::unmap(kHoleVa, kPageSize); }
BindScene::Op remap_op(BindScene& scene) {
  return scene.map_fresh(kHoleVa, kPageSize, 2 * kPageSize);
}

constexpr std::uint64_t kSparseVa = kHoleVa + kPageSize;
constexpr std::uint64_t kSparseHole = kSparseVa + 100 * kGiB;
BindScene::Op sparse_op() { return BindScene::map_sparse(kSparseVa, 256 * kGiB); }

const std::vector<Expectation> kSparse{{kHoleVa, old_tag(kHole)},
                                       {kSparseVa, 0},
                                       {kSparseHole, 0},
                                       {kSparseVa + 256 * kGiB, std::nullopt}};

// All edges cut what the first maps, at each level.
std::vector<BindScene::Op> sparse_array_ops(BindScene& scene) {
  return {scene.with(sparse_op(), scene.all_syncs()),
          scene.with(DirectClient::unmap(kSparseHole, kPageSize), {scene.signal_link()}),
          scene.with(scene.map_fresh(kSparseHole + 2 * kGiB, 0, kPageSize), {scene.wait_link()}),
          scene.with(BindScene::map_sparse(kSparseHole + kGiB, 2 * kMiB), scene.all_syncs())};
}
const std::vector<Expectation> kSparseCut{
    {kSparseHole - kPageSize, 0},           {kSparseHole, std::nullopt},
    {kSparseHole + kPageSize, 0},           {kSparseHole + kGiB, 0},
    {kSparseHole + 2 * kGiB, fresh_tag(0)}, {kSparseHole + 2 * kGiB + kPageSize, 0}};

const std::vector<Expectation> kMapped{{BindScene::kFreshVa, fresh_tag(0)},
                                       {BindScene::kFreshVa + 3 * kPageSize, fresh_tag(3)}};
const std::vector<Expectation> kCut{{kHoleVa - kPageSize, old_tag(kHole - kPageSize)},
                                    {kHoleVa, std::nullopt},
                                    {kHoleVa + kPageSize, old_tag(kHole + kPageSize)}};
const std::vector<Expectation> kReplaced{{kHoleVa - kPageSize, old_tag(kHole - kPageSize)},
                                         {kHoleVa, fresh_tag(1)},
                                         {kHoleVa + kPageSize, fresh_tag(2)},
                                         {kHoleVa + 2 * kPageSize, old_tag(kHole + 2 * kPageSize)}};

std::vector<BindScene::Op> array_ops(BindScene& scene) {
  return {scene.with(map_op(scene), scene.all_syncs()),
          scene.with(unmap_op(), {scene.signal_link()}),
          scene.with(scene.map_private(BindScene::kFreshVa + kGiB), {scene.wait_link()}),
          scene.with(remap_op(scene), scene.all_syncs())};
}
std::vector<Expectation> array_after() {
  std::vector<Expectation> all = kMapped;
  all.insert(all.end(), kReplaced.begin(), kReplaced.end());
  all.push_back({BindScene::kFreshVa + kGiB + 2 * kPageSize, fresh_tag(2)});
  return all;
}

const std::vector<Scenario> kScenarios{
    {"map", 0, [](BindScene& s) { return std::vector{map_op(s)}; }, kMapped},
    {"unmap", 0, [](BindScene&) { return std::vector{unmap_op()}; }, kCut},
    {"remap", 0, [](BindScene& s) { return std::vector{remap_op(s)}; }, kReplaced},
    {"async map", kAsync,
     [](BindScene& s) { return std::vector{s.with(map_op(s), s.all_syncs())}; }, kMapped},
    {"async unmap", kAsync,
     [](BindScene& s) { return std::vector{s.with(unmap_op(), s.all_syncs())}; }, kCut},
    {"async remap", kAsync,
     [](BindScene& s) { return std::vector{s.with(remap_op(s), s.all_syncs())}; }, kReplaced},
    {"async array", kAsync, array_ops, array_after()},
    {"sparse", 0, [](BindScene&) { return std::vector{sparse_op()}; }, kSparse},
    {"async sparse", kAsync,
     [](BindScene& s) { return std::vector{s.with(sparse_op(), s.all_syncs())}; }, kSparse},
    {"async sparse array", kAsync, sparse_array_ops, kSparseCut},
};

// No bind: what was evicted comes back before a job can look for it.
const Scenario kReturn{
    "return", 0, nullptr, {{BindScene::kOldVa, old_tag(0)}, {kHoleVa, old_tag(kHole)}}};

// The lines of this process's log.
class LogReader {
 public:
  explicit LogReader(const std::string& path) : file_(path) {}
  // Whether one of those since the last call has `text`.
  bool says(const std::string& text) {
    bool found = false;
    file_.clear();
    for (std::string line; std::getline(file_, line);)
      found = found || line.find(text) != std::string::npos;
    return found;
  }

 private:
  std::ifstream file_;
};

class Campaign {
 public:
  Campaign(uapi::Machine& machine, LogReader& log) : machine_(machine), log_(log) {
    // What is made once at first use is made here.
    for (const Scenario& scenario : kScenarios) run_undisturbed(scenario);
  }

  void run(const Scenario& scenario, Source source, Pool pool) {
    const std::uint64_t findings = findings_;
    for (std::uint64_t n = 1; findings_ == findings; ++n)
      if (!fail(scenario, n, [&] { fail_bind(scenario, source, pool, n); })) return;
  }
  void run_return(Source source, Pool pool) {
    const std::uint64_t findings = findings_;
    for (std::uint64_t n = 1; findings_ == findings; ++n)
      if (!fail(kReturn, n, [&] { fail_return(source, pool, n); })) return;
  }

  std::uint64_t cases() const { return cases_; }
  std::uint64_t findings() const { return findings_; }
  const CallSites& sites() const { return sites_; }

 private:
  void run_undisturbed(const Scenario& scenario) {
    BindScene scene(machine_);
    std::vector<BindScene::Op> ops = scenario.ops(scene);
    if (scene.bind(scenario.flags, ops) != 0) found(scenario, "fails without any fault");
    scene.let_go();
    check_effect(scenario, scene, "without any fault");
  }

  // False: there is no n-th allocation.
  template <class InScene>
  bool fail(const Scenario& scenario, std::uint64_t n, InScene in_scene) {
    const uapi::Machine::Baseline baseline = machine_.baseline();
    const std::uint64_t blocks = driver::heap_blocks();
    failed_.reset();
    in_scene();
    if (machine_.baseline() != baseline)
      found(scenario, fmt::format("leaves something behind after allocation {}", n));
    if (const std::uint64_t now = driver::heap_blocks(); now != blocks)
      found(scenario, fmt::format("{} blocks of the heap left after allocation {}",
                                  static_cast<std::int64_t>(now - blocks), n));
    if (!failed_) return false;
    sites_.add(*failed_);
    return true;
  }

  driver::AllocationFaults& faults_of(Source source) {
    return source == Source::kHeap ? driver::heap_faults() : machine_.device().pages().faults();
  }
  void stock(Pool pool) {
    driver::PagePool& pages = machine_.device().pages();
    pages.trim(0);
    if (pool == Pool::kStocked)
      pages.give_back(pages.take(kStock).value(), driver::PagePool::Content::kZero);
  }

  void fail_return(Source source, Pool pool, std::uint64_t n) {
    driver::AllocationFaults& faults = faults_of(source);
    BindScene scene(machine_);
    const Ref<driver::Vm> vm = scene.client().file().vm(scene.vm());
    if (machine_.device().shrinker().shrink(1 << 20) == 0) found(kReturn, "nothing is evicted");
    stock(pool);
    const VmSnapshot before = scene.snapshot();

    faults.fail_nth(n);
    const auto error = [&]() -> std::optional<Errno> {
      const Result<driver::Residency> there = vm->make_resident();
      return there ? std::nullopt : std::optional(there.error());
    }();
    const bool fired = faults.fired();
    faults.fail_nth(0);
    if (fired) {
      ++cases_;
      failed_ = faults.where();
    }
    if (error != (fired ? std::optional(Errno::kNoMem) : std::nullopt))
      found(kReturn, fmt::format("allocation {}: {}", n, error ? name_of(*error) : "no error"));
    if (scene.snapshot().tree != before.tree)
      found(kReturn, fmt::format("allocation {}: another tree", n));
    check_effect(kReturn, scene, fmt::format("allocation {} fails", n));
  }

  void fail_bind(const Scenario& scenario, Source source, Pool pool, std::uint64_t n) {
    driver::AllocationFaults& faults = faults_of(source);
    BindScene scene(machine_);
    std::vector<BindScene::Op> ops = scenario.ops(scene);
    stock(pool);
    const VmSnapshot before = scene.snapshot();
    log_.says("");

    faults.fail_nth(n);
    const int result = scene.bind(scenario.flags, ops);
    const bool fired = faults.fired();
    faults.fail_nth(0);
    if (!fired) {
      if (result != 0) found(scenario, fmt::format("{} though nothing failed", result));
      scene.let_go();
      check_effect(scenario, scene, "with faults armed");
      return;
    }
    ++cases_;
    failed_ = faults.where();
    const std::string where = fmt::format("allocation {} of {} fails", n,
                                          source == Source::kHeap ? "the heap" : "the device");
    if (result != -ENOMEM) {
      found(scenario, fmt::format("{}: {} instead of ENOMEM", where, result));
      return;
    }
    if (!log_.says("out of memory")) found(scenario, fmt::format("{}: no line in the log", where));
    // Pages of ops that were ready before it failed wait in the pool for the next.
    const auto cache =
        pool == Pool::kStocked ? VmSnapshot::Cache::kCompare : VmSnapshot::Cache::kIgnore;
    if (const std::string changed = before.difference(scene.snapshot(), cache); !changed.empty())
      found(scenario, fmt::format("{}: {} changed", where, changed));
    if (const int again = scene.bind(scenario.flags, ops); again != 0)
      found(scenario, fmt::format("{}: the next bind fails with {}", where, again));
    scene.let_go();
    check_effect(scenario, scene, where);
  }

  void check_effect(const Scenario& scenario, BindScene& scene, const std::string& when) {
    for (const Expectation& expected : scenario.after) {
      const auto seen = scene.gpu_read(expected.va);
      if (seen == expected.word) continue;
      found(scenario, fmt::format("{}: the GPU reads {} at {:#x}, not {}", when, text_of(seen),
                                  expected.va, text_of(expected.word)));
    }
  }

  static std::string text_of(std::optional<std::uint32_t> word) {
    return word ? fmt::format("{:#x}", *word) : "a fault";
  }

  void found(const Scenario& scenario, const std::string& what) {
    ++findings_;
    fmt::print("FOUND {}: {}{}\n", scenario.name, what,
               failed_ ? ", at " + CallSites::name(*failed_) : "");
  }

  uapi::Machine& machine_;
  LogReader& log_;
  CallSites sites_;
  std::optional<driver::CallStack> failed_;  // whose allocation failed, in the present case
  std::uint64_t cases_ = 0;
  std::uint64_t findings_ = 0;
};

int failed(const char* what, Errno error) {
  fmt::print("alloc_faults: {}: {}\n", what, name_of(error));
  return 1;
}

int run(const std::string& log_path) {
  set_log_level(LogLevel::kInfo);
  if (!set_log_file(log_path.c_str())) return failed("no log", Errno::kIo);
  LogReader log(log_path);
  CallSites sites;
  std::uint64_t cases = 0;
  std::uint64_t findings = 0;
  driver::ThreadExecutor executor(2);
  const TimePoint start = executor.clock().now();
  // Buffers in one piece, mapped by blocks; and scattered, mapped by pages.
  for (const Memory memory : {Memory::kWindow, Memory::kArena}) {
    for (const driver::ProvisioningName& kind : driver::kProvisioningNames) {
      uapi::MachineConfig config;
      config.dram_bytes = 128 * kMiB;
      config.memory = memory;
      config.provisioning = kind.provisioning;
      config.swap_bytes = 128 * kMiB;
      const auto machine = uapi::Machine::create(executor, config);
      if (!machine) return failed("the machine cannot be brought up", machine.error());
      Campaign campaign(**machine, log);
      for (const Scenario& scenario : kScenarios) {
        campaign.run(scenario, Source::kHeap, Pool::kStocked);
        campaign.run(scenario, Source::kDevice, Pool::kStocked);
        campaign.run(scenario, Source::kDevice, Pool::kEmpty);
      }
      campaign.run_return(Source::kHeap, Pool::kStocked);
      campaign.run_return(Source::kDevice, Pool::kStocked);
      campaign.run_return(Source::kDevice, Pool::kEmpty);
      fmt::print("{}: {} cases, {} findings\n", kind.name, campaign.cases(), campaign.findings());
      cases += campaign.cases();
      findings += campaign.findings();
      sites.add(campaign.sites());
    }
  }
  const auto counts = sites.count();
  for (const auto& [site, count] : counts) fmt::print("{:5} x {}\n", count, site);
  fmt::print(
      "alloc-faults: {} sites, {} cases in map, unmap, remap, sparse and their async forms, "
      "async arrays, and the return of what was evicted; {} findings, {} s\n",
      counts.size(), cases, findings, (executor.clock().now() - start).ns / seconds(1).ns);
  return findings == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pantry::campaigns

int main(int argc, char** argv) {
  // It takes some seconds, so there is nothing to leave out.
  if (argc > 2 || (argc == 2 && std::strcmp(argv[1], "--quick") != 0)) {
    fmt::print(stderr, "usage: alloc_faults [--quick]\n");
    return 2;
  }
  char path[] = "/tmp/pantry-alloc-faults-XXXXXX";
  const int file = ::mkstemp(path);
  if (file < 0) return 1;
  ::close(file);
  const int status = pantry::campaigns::run(path);
  ::unlink(path);
  return status;
}
