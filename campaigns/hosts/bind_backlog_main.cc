// SPDX-License-Identifier: MIT
//
// bind_backlog [--quick]: a client queues binds behind a fence that does not signal until one is
// refused, lets them go, and begins again, 1,000,000 binds in all. Meanwhile: the table pages that
// are out stay under the bound of its VM; each bind that was accepted completes; and another client
// of the same device, which binds and unbinds all the time, waits at its 99th percentile no more
// than twice as long as in the pauses between. The campaign is scripts/campaign bind-storm.
//
// Storms and pauses alternate, each pause as long as the storm before it, so that both see as much
// of what else the machine does, and each pair has a ratio of its own: the median of these is
// judged. A first storm is left out: it is the one that touches the host's memory for the first
// time. The two clients share a process and with it what the host's kernel locks when a heap grows
// or shrinks, which clients of a server do not: this heap does neither.
#include <fmt/core.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "campaigns/hosts/direct_client.h"
#include "driver/kernel/thread_executor.h"
#include "driver/provision/page_pool.h"

namespace pantry::campaigns {
namespace {

constexpr std::uint64_t kBinds = 1'000'000;
constexpr std::uint64_t kQuickBinds = 100'000;
constexpr unsigned kBindThreads = 2;
constexpr double kMostSlowdown = 2;
constexpr std::size_t kJudgedRounds = 50;
// Before each storm, for the other client to show how fast it is alone: as long as the last storm,
// within limits.
constexpr Duration kShortestPause = milliseconds(60);
constexpr Duration kLongestPause = milliseconds(1000);
// Between two binds of the other client.
constexpr Duration kStep = microseconds(100);
constexpr std::uint64_t kVa = 0x40'0000'0000;
constexpr std::uint64_t kWindows = 64;  // of 2 MiB
constexpr std::uint64_t kBufferSize = 64 * kKiB;
// What the tables of both clients can take: a page per window and a few above, for the storm; the
// path to one page, and what one bind is laid in, for the other.
constexpr std::uint64_t kMostTables = kWindows + 8 + 8;
// And what the VMs keep at hand.
constexpr std::uint64_t kMostKept = 2 * driver::PageMagazine::kMost;
constexpr std::uint32_t kTimeline = DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;
constexpr auto kSignal = static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);

class GateFence final : public driver::Fence {
 public:
  GateFence() : Fence(next_context(), 1) {}
  const char* driver_name() const noexcept override { return "campaign"; }
  const char* timeline_name() const noexcept override { return "gate"; }
};

std::uint64_t resident_bytes() {
  unsigned long pages = 0;
  if (FILE* const file = ::fopen("/proc/self/statm", "r")) {
    if (::fscanf(file, "%*u %lu", &pages) != 1) pages = 0;
    ::fclose(file);
  }
  return pages * kPageSize;
}

// The value below which `percent` in 100 lie; 0 if there is none.
template <class T>
T percentile(std::vector<T> values, std::size_t percent) {
  if (values.empty()) return {};
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() * percent / 100);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

enum class Weather { kCalm, kStorm, kChanging, kOver };

// Nanoseconds that each bind took, in one pause and the storm after it.
struct Times {
  std::vector<std::int64_t> calm;
  std::vector<std::int64_t> storm;
};

// Binds and unbinds a page, and notes how long each call takes.
class Neighbour final : public driver::ThreadBody {
 public:
  Neighbour(uapi::Machine& machine, const std::atomic<Weather>& weather)
      : weather_(weather),
        clock_(machine.device().executor().clock()),
        client_(machine),
        vm_(client_.create_vm()),
        buffer_(client_.create_buffer(kBufferSize, 0)) {}

  void run() override {
    for (;;) {
      const Weather before = weather_.load();
      if (before == Weather::kOver) return;
      const std::int64_t time = bind_once();
      // Of a call during which the weather changed nobody can say whose it is.
      if (weather_.load() == before) {
        MutexLock lock(mutex_);
        if (before == Weather::kCalm) now_.calm.push_back(time);
        if (before == Weather::kStorm) now_.storm.push_back(time);
      }
      clock_.sleep(kStep);
    }
  }

  // Since the last call.
  Times take_times() {
    MutexLock lock(mutex_);
    return std::exchange(now_, {});
  }

 private:
  std::int64_t bind_once() {
    mapped_ = !mapped_;
    std::vector<drm_panthor_vm_bind_op> ops{mapped_ ? DirectClient::map(buffer_, 0, kVa, kPageSize)
                                                    : DirectClient::unmap(kVa, kPageSize)};
    const TimePoint start = clock_.now();
    PANTRY_CHECK(client_.bind(vm_, 0, ops) == 0);
    return (clock_.now() - start).ns;
  }

  const std::atomic<Weather>& weather_;
  driver::Clock& clock_;
  DirectClient client_;
  const std::uint32_t vm_;
  const std::uint32_t buffer_;
  bool mapped_ = false;
  Mutex mutex_;
  Times now_ PANTRY_GUARDED_BY(mutex_);
};

// What the storms cost the other client, by round: a pause and the storm after it.
class Slowdown {
 public:
  void add(const Times& times) {
    calm_binds_ += times.calm.size();
    storm_binds_ += times.storm.size();
    now_.calm.insert(now_.calm.end(), times.calm.begin(), times.calm.end());
    now_.storm.insert(now_.storm.end(), times.storm.begin(), times.storm.end());
    if (now_.calm.size() < kFewest || now_.storm.size() < kFewest) return;
    const std::int64_t calm = percentile(now_.calm, 99);
    const std::int64_t storm = percentile(now_.storm, 99);
    calm_.push_back(static_cast<double>(calm));
    storm_.push_back(static_cast<double>(storm));
    ratios_.push_back(static_cast<double>(storm) / static_cast<double>(calm));
    now_ = {};
  }
  std::size_t rounds() const { return ratios_.size(); }
  double median() const { return percentile(ratios_, 50); }
  std::string text() const {
    return fmt::format(
        "{:.1f} us in {} calm binds, {:.1f} us in {} of the storm, {:.2f} times (medians of {} "
        "rounds)",
        percentile(calm_, 50) / 1e3, calm_binds_, percentile(storm_, 50) / 1e3, storm_binds_,
        median(), ratios_.size());
  }

 private:
  // A round goes on until it has so many of both: on a busy machine, over several storms.
  static constexpr std::size_t kFewest = 400;
  Times now_;
  std::size_t calm_binds_ = 0;
  std::size_t storm_binds_ = 0;
  std::vector<double> calm_;
  std::vector<double> storm_;
  std::vector<double> ratios_;
};

class Storm {
 public:
  explicit Storm(uapi::Machine& machine)
      : machine_(machine),
        client_(machine),
        vm_(client_.create_vm()),
        buffer_(client_.create_buffer(kBufferSize, 0)),
        gate_(client_.create_syncobj()),
        timeline_(client_.create_syncobj()),
        limit_(machine.device().vm_device().max_pending_table_pages),
        lent_before_(machine.device().pages().statistics().lent) {}

  // One backlog, of `most` binds at most, and its end.
  void rage(std::uint64_t most) {
    auto gate = make_ref<GateFence>();
    client_.file().syncobj(gate_)->replace(Ref<driver::Fence>(gate));
    const std::uint64_t goal = accepted_ + most;
    while (accepted_ < goal) {
      const int result = bind_one();
      if (result == 0) {
        ++accepted_;
        continue;
      }
      ++refused_;
      if (result != -ENOMEM) found(fmt::format("a bind fails with {}", result));
      break;
    }
    check_memory();
    gate->signal(machine_.device().executor().clock().now(), 0);
    machine_.device().settle();
    check_completion();
  }

  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t findings() const { return findings_; }
  std::uint64_t peak_pending() { return client_.file().vm(vm_)->tables().peak_pending_pages; }
  std::uint64_t limit() const { return limit_; }
  void found(const std::string& what) {
    ++findings_;
    fmt::print("FOUND after {} binds: {}\n", accepted_, what);
  }

 private:
  int bind_one() {
    const std::uint64_t va = kVa + accepted_ % kWindows * 2 * kMiB;
    drm_panthor_vm_bind_op op{};
    switch (accepted_ / kWindows % 3) {
      case 0:
        op = DirectClient::map(buffer_, 0, va, kPageSize);
        break;
      case 1:
        // Over the edge of a window.
        op = DirectClient::map(buffer_, 0, va + 2 * kMiB - 8 * kPageSize, kBufferSize);
        break;
      default:
        op = DirectClient::unmap(va, kMiB);
        break;
    }
    drm_panthor_sync_op syncs[] = {{0, gate_, 0}, {kSignal | kTimeline, timeline_, accepted_ + 1}};
    op.syncs = {sizeof syncs[0], 2, reinterpret_cast<std::uint64_t>(syncs)};
    std::vector<drm_panthor_vm_bind_op> ops{op};
    return client_.bind(vm_, DRM_PANTHOR_VM_BIND_ASYNC, ops);
  }

  void check_memory() {
    const std::uint64_t pending = client_.file().vm(vm_)->tables().pending_pages;
    if (pending > limit_) found(fmt::format("{} table pages are pending of {}", pending, limit_));
    const std::uint64_t peak = machine_.device().pages().statistics().peak_lent - lent_before_;
    if (peak > limit_ + kMostTables + kMostKept)
      found(fmt::format("{} table pages were out at once, of {} that may be", peak,
                        limit_ + kMostTables + kMostKept));
  }

  // A bind that fails makes its VM unusable, so nobody's error is missed.
  void check_completion() {
    const Ref<driver::Vm> vm = client_.file().vm(vm_);
    const driver::Vm::TableView tables = vm->tables();
    if (vm->unusable()) found("an accepted bind has failed");
    if (tables.binds != accepted_)
      found(fmt::format("{} binds have run of {} accepted", tables.binds, accepted_));
    if (tables.pending_pages != 0) found("pages of binds that have run are still charged");
    const auto reached =
        client_.file().syncobj(timeline_)->query(driver::Syncobj::Query::kLastSignalled);
    if (reached != accepted_) found(fmt::format("the timeline is at {} only", reached));
  }

  uapi::Machine& machine_;
  DirectClient client_;
  const std::uint32_t vm_;
  const std::uint32_t buffer_;
  const std::uint32_t gate_;
  const std::uint32_t timeline_;
  const std::uint64_t limit_;
  const std::uint64_t lent_before_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t findings_ = 0;
};

int run(std::uint64_t binds) {
  set_log_level(LogLevel::kGap);
  driver::ThreadExecutor executor(kBindThreads);
  uapi::MachineConfig config;
  config.dram_bytes = kGiB;
  const auto machine = uapi::Machine::create(executor, config);
  if (!machine) {
    fmt::print("bind_backlog: the machine cannot be brought up: {}\n", name_of(machine.error()));
    return 1;
  }
  const TimePoint start = executor.clock().now();
  std::atomic<Weather> weather{Weather::kCalm};
  Storm storm(**machine);
  Neighbour neighbour(**machine, weather);
  driver::ThreadExecutor others(1);
  others.spawn("neighbour", neighbour);

  std::uint64_t resident = 0;
  Slowdown slowdown;
  Duration pause = kShortestPause;
  while (storm.accepted() < binds && storm.findings() == 0) {
    const bool first = storm.accepted() == 0;
    weather = Weather::kCalm;
    executor.clock().sleep(pause);
    weather = Weather::kStorm;
    const TimePoint begins = executor.clock().now();
    storm.rage(binds - storm.accepted());
    weather = Weather::kChanging;
    pause = std::clamp(executor.clock().now() - begins, kShortestPause, kLongestPause);
    resident = std::max(resident, resident_bytes());
    const Times times = neighbour.take_times();
    // The last storm ends early.
    if (!first && storm.accepted() < binds) slowdown.add(times);
  }
  weather = Weather::kOver;
  others.join_spawned();

  // A few rounds say little: they are told and not judged.
  if (slowdown.rounds() >= kJudgedRounds && slowdown.median() > kMostSlowdown)
    storm.found(
        fmt::format("the other client's binds take {:.2f} times as long", slowdown.median()));
  if (binds == kBinds && slowdown.rounds() < kJudgedRounds)
    storm.found(fmt::format("only {} rounds could be measured", slowdown.rounds()));
  fmt::print(
      "bind-storm: {} binds accepted and completed, {} refused; at most {} table pages pending of "
      "{}, {} MiB resident; another client's p99 {}; {} findings, {} s\n",
      storm.accepted(), storm.refused(), storm.peak_pending(), storm.limit(), resident / kMiB,
      slowdown.text(), storm.findings(), (executor.clock().now() - start).ns / seconds(1).ns);
  return storm.findings() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pantry::campaigns

int main(int argc, char** argv) {
  const bool quick = argc == 2 && std::strcmp(argv[1], "--quick") == 0;
  if (argc > 2 || (argc == 2 && !quick)) {
    fmt::print(stderr, "usage: bind_backlog [--quick]\n");
    return 2;
  }
  ::mallopt(M_TOP_PAD, 64 << 20);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  return pantry::campaigns::run(quick ? pantry::campaigns::kQuickBinds : pantry::campaigns::kBinds);
}
