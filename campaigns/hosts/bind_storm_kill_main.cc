// SPDX-License-Identifier: MIT
//
// bind_storm_kill [--quick] [--seed N]: one host, and a client in the middle of a bind storm
// (campaigns/clients) that is killed with SIGKILL, a hundred times, each time after another number
// of binds. Afterwards the host must be as before the first client: frames, table pages (each VM
// has a root, so VMs too), groups, buffers, address-space slots, descriptors and threads. The
// campaign is scripts/campaign bind-storm-kill.
#include <drm/panthor_drm.h>
#include <fmt/core.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <atomic>
#include <cstring>
#include <random>

#include "base/log.h"
#include "campaigns/hosts/host_inventory.h"
#include "campaigns/hosts/served_machine.h"
#include "campaigns/hosts/wait_until.h"

namespace {

using namespace pantry;
using campaigns::HostInventory;
using campaigns::take_inventory;
using campaigns::text_of;

constexpr unsigned kKills = 100;
constexpr Duration kQuickTime = seconds(14);
constexpr unsigned kMostBinds = 400;
// For a storm to begin, for the host to be clean again: more than anything takes on a busy machine.
constexpr Duration kPatience = seconds(60);
constexpr Duration kPause = microseconds(200);

struct Arguments {
  bool quick = false;
  std::uint64_t seed = 1;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0)
      arguments.quick = true;
    else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
      arguments.seed = std::strtoull(argv[++i], nullptr, 0);
    else
      return false;
  }
  return true;
}

// How far the storm is.
class Weather final : public uapi::ServerObserver {
 public:
  Calls calls() const override { return Calls::kSideBySide; }
  void on_ioctl(const Ioctl& ioctl) override {
    if (ioctl.result != 0) return;
    if (ioctl.command == DRM_IOCTL_PANTHOR_VM_BIND) binds_.fetch_add(1);
    if (ioctl.command == DRM_IOCTL_PANTHOR_GROUP_SUBMIT) jobs_.fetch_add(1);
  }
  void on_release(uapi::Session&) override {}
  std::uint64_t binds() const { return binds_.load(); }
  std::uint64_t jobs() const { return jobs_.load(); }

 private:
  std::atomic<std::uint64_t> binds_{0};
  std::atomic<std::uint64_t> jobs_{0};
};

class Campaign {
 public:
  Campaign(campaigns::ServedMachine& host, Weather& weather)
      : clock_(host.executor().clock()),
        host_(host),
        weather_(weather),
        client_(host.client("bind_storm")),
        before_(inventory()) {}

  const HostInventory& before() const { return before_; }

  // What went wrong, if anything.
  std::string kill_once(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const std::uint64_t bind_goal = weather_.binds() + 10 + random() % kMostBinds;
    const std::uint64_t job_goal = weather_.jobs() + 1;
    ::setenv("PANTRY_STORM_SEED", std::to_string(seed).c_str(), 1);
    const auto pid = tools::start_client(client_);
    if (!pid) return fmt::format("{}: {}", client_.command[0], name_of(pid.error()));

    std::string wrong;
    const bool raged = wait_until([&] {
      int status = 0;
      if (::waitpid(*pid, &status, WNOHANG) == *pid) {
        wrong = fmt::format("the client ended by itself, wait status {:#x}", status);
        return true;
      }
      return weather_.binds() >= bind_goal && weather_.jobs() >= job_goal;
    });
    if (!wrong.empty()) return wrong;
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
    if (!raged) return "the storm did not get going";

    HostInventory after;
    if (wait_until([&] { return (after = inventory()) == before_; })) return {};
    return fmt::format("something is left behind: {}", text_of(after));
  }

 private:
  HostInventory inventory() { return take_inventory(host_.machine(), &host_.server()); }
  template <class Condition>
  bool wait_until(Condition condition) {
    return campaigns::wait_until(clock_, kPatience, kPause, condition);
  }

  driver::Clock& clock_;
  campaigns::ServedMachine& host_;
  Weather& weather_;
  const tools::ClientProgram client_;
  const HostInventory before_;
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    fmt::print(stderr, "usage: bind_storm_kill [--quick] [--seed N]\n");
    return 2;
  }
  set_log_level(LogLevel::kGap);
  Weather weather;
  const auto host = campaigns::ServedMachine::create("bind_storm_kill", weather);
  if (!host) return 1;
  driver::Clock& clock = host->executor().clock();
  Campaign campaign(*host, weather);
  const TimePoint start = clock.now();
  unsigned kills = 0;
  unsigned findings = 0;
  for (; kills < kKills && findings == 0; ++kills) {
    if (arguments.quick && clock.now() - start > kQuickTime) break;
    const std::uint64_t seed = arguments.seed + kills;
    if (const std::string wrong = campaign.kill_once(seed); !wrong.empty()) {
      fmt::print("FOUND kill {}, --seed {}: {}\n", kills + 1, seed, wrong);
      ++findings;
    }
  }
  const Duration taken = clock.now() - start;
  fmt::print("bind-storm-kill: {} kills in {} binds and {} jobs; baseline {}; {} findings, {} s\n",
             kills, weather.binds(), weather.jobs(), text_of(campaign.before()), findings,
             taken.ns / seconds(1).ns);
  return findings == 0 ? 0 : 1;
}
