// SPDX-License-Identifier: MIT
//
// resets [--quick] [--seed N] [--resets N]: clients that never stop (load_client.h), more of them
// than the device has slots or address spaces, and a device that fails under them in each of the
// ways that can be injected, in turn, until it has been reset 200 times. No byte may be wrong, no
// fence lost or signalled twice (which ends the process), and no client may be held up for ever.
// Afterwards the host must be as before the first client: frames, table pages, groups, buffers,
// address-space slots, descriptors, threads. The campaign is scripts/campaign resets.
#include <fmt/core.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/log.h"
#include "campaigns/hosts/host_inventory.h"
#include "campaigns/hosts/load_client.h"
#include "campaigns/hosts/wait_until.h"
#include "driver/kernel/thread_executor.h"
#include "gpu_emu/inject/injector.h"

namespace {

using namespace pantry;
using campaigns::HostInventory;
using campaigns::LoadClient;
using campaigns::take_inventory;
using campaigns::text_of;
using emu::FaultKind;
using emu::FaultPlan;

constexpr unsigned kBindThreads = 2;
constexpr std::uint32_t kClients = 10;  // the G610 has 8 group slots and 7 address spaces
constexpr std::uint32_t kResets = 200, kQuickResets = 14;
// For the occasion of a fault to come, for the driver to notice, for a reset to end.
constexpr Duration kOccasion = milliseconds(300);
constexpr Duration kNotice = seconds(2);
constexpr Duration kSlowFlush = milliseconds(400);
constexpr Duration kPatience = seconds(60);
constexpr Duration kPause = microseconds(500);
constexpr std::uint64_t kDramBytes = kGiB;
// Of a page-table entry; far above the device's memory, and within the 40 bits of its addresses.
constexpr std::uint32_t kAddressBit = 38;

struct Arguments {
  std::uint32_t resets = kResets;
  std::uint64_t seed = 1;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0)
      arguments.resets = kQuickResets;
    else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
      arguments.seed = std::strtoull(argv[++i], nullptr, 0);
    else if (std::strcmp(argv[i], "--resets") == 0 && i + 1 < argc)
      arguments.resets = static_cast<std::uint32_t>(std::strtoul(argv[++i], nullptr, 0));
    else
      return false;
  }
  return true;
}

class Client final : public driver::ThreadBody {
 public:
  Client(uapi::Machine& machine, std::uint32_t number, std::uint64_t seed,
         const std::atomic<bool>& stop)
      : machine_(machine), number_(number), seed_(seed), stop_(stop) {}

  void run() override {
    {
      LoadClient client(machine_, number_, seed_);
      while (!stop_ && wrong_.empty()) {
        wrong_ = client.play_round();
        rounds_.fetch_add(1);
      }
      tally_ = client.tally();
    }
    ended_ = true;
  }
  std::uint64_t rounds() const { return rounds_.load(); }
  bool ended() const { return ended_.load(); }
  // Once it has ended.
  const std::string& wrong() const { return wrong_; }
  const LoadClient::Tally& tally() const { return tally_; }

 private:
  uapi::Machine& machine_;
  const std::uint32_t number_;
  const std::uint64_t seed_;
  const std::atomic<bool>& stop_;
  std::atomic<std::uint64_t> rounds_{0};
  std::atomic<bool> ended_{false};
  std::string wrong_;
  LoadClient::Tally tally_;
};

class Campaign {
 public:
  Campaign(driver::Executor& executor, uapi::Machine& machine, emu::Injector& injector,
           std::uint64_t seed)
      : clock_(executor.clock()),
        machine_(machine),
        injector_(injector),
        random_(seed),
        before_(take_inventory(machine, nullptr)) {
    for (std::uint32_t n = 0; n < kClients; ++n)
      clients_.push_back(std::make_unique<Client>(machine, n + 1, random_(), stop_));
    for (const auto& client : clients_) executor.spawn("client", *client);
  }

  // One fault, and a reset: the one that it causes, or else another. What went wrong, if anything.
  std::string reset_once(std::uint32_t number) {
    FaultPlan plan;
    plan.kind = emu::kFaultKinds[number % std::size(emu::kFaultKinds)];
    plan.after = random_() % 20;
    const std::uint32_t turn = number / static_cast<std::uint32_t>(std::size(emu::kFaultKinds));
    // On a busy machine a limit of 100 ms takes longer.
    if (plan.kind == FaultKind::kSlowFlush) plan.delay = kSlowFlush;
    if (plan.kind == FaultKind::kLostInterrupt) {
      plan.line = static_cast<emu::Misbehaviour::Line>(turn % 3);
      // Only faults raise these: of an access that is not allowed, and of one to where no memory
      // is.
      if (plan.line != emu::Misbehaviour::Line::kJob) {
        plan.after = 0;
        FaultPlan fault = {.kind = FaultKind::kPteBitFlip, .after = random_() % 20};
        if (plan.line == emu::Misbehaviour::Line::kGpu) fault.bit = kAddressBit;
        injector_.add(fault);
      }
    }
    const std::uint64_t resets = machine_.device().resets();
    const std::uint64_t hits = injector_.hits(plan.kind);
    injector_.add(plan);
    const auto was_reset = [&] { return machine_.device().resets() != resets; };
    const bool hit =
        wait_until(kOccasion, [&] { return was_reset() || injector_.hits(plan.kind) != hits; });
    if (hit && ends_in_a_reset(plan.kind)) wait_until(kNotice, was_reset);
    if (!was_reset()) {
      ++wanted_;
      // Again and again, since one that is asked for while the device is suspended is none.
      const TimePoint end = clock_.now() + kPatience;
      do {
        if (clock_.now() > end) return "the reset does not end";
        machine_.device().request_reset("the campaign wants one");
      } while (!wait_until(kNotice, was_reset));
    }
    // Suspended groups come back in the tick after it.
    if (plan.kind == FaultKind::kCorruptedSuspendBuffer) progress();
    injector_.clear();
    if (machine_.device().unplugged()) return "the device is unplugged";
    return progress();
  }

  // Each client goes on.
  std::string progress() {
    std::vector<std::uint64_t> rounds;
    for (const auto& client : clients_) rounds.push_back(client->rounds());
    const bool on = wait_until(kPatience, [&] {
      for (std::size_t n = 0; n < clients_.size(); ++n)
        if (!clients_[n]->ended() && clients_[n]->rounds() == rounds[n]) return false;
      return true;
    });
    for (std::size_t n = 0; n < clients_.size(); ++n) {
      if (!on && clients_[n]->rounds() == rounds[n])
        return fmt::format("client {} does not go on", n + 1);
      if (clients_[n]->ended()) return fmt::format("client {}: {}", n + 1, clients_[n]->wrong());
    }
    return {};
  }

  std::string finish() {
    stop_ = true;
    if (!wait_until(kPatience + kPatience, [&] {
          for (const auto& client : clients_)
            if (!client->ended()) return false;
          return true;
        }))
      return "the clients do not end";
    HostInventory after;
    if (wait_until(kPatience,
                   [&] { return (after = take_inventory(machine_, nullptr)) == before_; }))
      return {};
    return fmt::format("something is left behind: {}", text_of(after));
  }

  const HostInventory& before() const { return before_; }
  std::uint64_t wanted() const { return wanted_; }
  LoadClient::Tally total() const {
    LoadClient::Tally sum;
    for (const auto& client : clients_) {
      const LoadClient::Tally& tally = client->tally();
      sum.jobs += tally.jobs;
      sum.binds += tally.binds;
      sum.invalid += tally.invalid;
      sum.cancelled += tally.cancelled;
      sum.timed_out += tally.timed_out;
      sum.groups += tally.groups;
    }
    return sum;
  }

 private:
  static bool ends_in_a_reset(FaultKind kind) {
    return kind == FaultKind::kStuckAsCommand || kind == FaultKind::kLateAcknowledge ||
           kind == FaultKind::kFirmwareHang || kind == FaultKind::kSlowFlush;
  }
  template <class Condition>
  bool wait_until(Duration limit, Condition condition) {
    return campaigns::wait_until(clock_, limit, kPause, condition);
  }

  driver::Clock& clock_;
  uapi::Machine& machine_;
  emu::Injector& injector_;
  std::mt19937_64 random_;
  const HostInventory before_;
  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<Client>> clients_;
  std::uint64_t wanted_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    fmt::print(stderr, "usage: resets [--quick] [--seed N] [--resets N]\n");
    return 2;
  }
  set_log_level(std::getenv("PANTRY_RESETS_LOG") ? LogLevel::kInfo : LogLevel::kOff);
  driver::ThreadExecutor executor(kBindThreads);
  emu::Injector injector;
  uapi::MachineConfig config;
  config.dram_bytes = kDramBytes;
  // It takes a failing device for a driver's mistake.
  config.checker = uapi::MachineConfig::Check::kOff;
  config.misbehaviour = &injector;
  const auto machine = uapi::Machine::create(executor, config);
  if (!machine) {
    fmt::print("resets: the machine cannot be brought up: {}\n", name_of(machine.error()));
    return 1;
  }
  const TimePoint start = executor.clock().now();
  Campaign campaign(executor, **machine, injector, arguments.seed);
  unsigned findings = 0;
  const auto judge = [&](const std::string& wrong, const std::string& when) {
    if (wrong.empty()) return true;
    fmt::print("FOUND {}, --seed {}: {}\n", when, arguments.seed, wrong);
    ++findings;
    return false;
  };
  std::uint32_t done = 0;
  while (done < arguments.resets &&
         judge(campaign.reset_once(done),
               fmt::format("reset {}, {}", done + 1,
                           name_of(emu::kFaultKinds[done % std::size(emu::kFaultKinds)]))))
    ++done;
  injector.clear();
  judge(campaign.finish(), "at the end");
  const LoadClient::Tally total = campaign.total();
  std::string hits;
  for (const FaultKind kind : emu::kFaultKinds) {
    if (done >= std::size(emu::kFaultKinds) && injector.hits(kind) == 0)
      judge("its occasion never came", std::string(name_of(kind)));
    hits += fmt::format("{}{} {}", hits.empty() ? "" : ", ", name_of(kind), injector.hits(kind));
  }
  fmt::print(
      "resets: {} resets, {} of them asked for by the campaign; injected {}; {} jobs, of which {} "
      "ended with EINVAL, {} with ECANCELED, {} with ETIMEDOUT; {} binds; baseline {}; {} "
      "findings, "
      "{} s\n",
      (*machine)->device().resets(), campaign.wanted(), hits, total.jobs, total.invalid,
      total.cancelled, total.timed_out, total.binds, text_of(campaign.before()), findings,
      (executor.clock().now() - start).ns / seconds(1).ns);
  // Threads that hang cannot be joined.
  if (findings != 0) {
    std::fflush(stdout);
    std::_Exit(1);
  }
  return 0;
}
