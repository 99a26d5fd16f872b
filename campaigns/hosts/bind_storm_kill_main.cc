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
#include <filesystem>
#include <random>

#include "base/log.h"
#include "campaigns/hosts/host_inventory.h"
#include "driver/kernel/thread_executor.h"
#include "tools/client_process.h"
#include "tools/private_directory.h"
#include "tools/server_thread.h"
#include "uapi/server/device_tree.h"
#include "uapi/server/server.h"

namespace {

using namespace pantry;
using campaigns::HostInventory;
using campaigns::take_inventory;
using campaigns::text_of;

constexpr unsigned kBindThreads = 2;
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
  Campaign(driver::Executor& executor, uapi::Machine& machine, uapi::Server& server,
           Weather& weather, tools::ClientProgram client)
      : clock_(executor.clock()),
        machine_(machine),
        server_(server),
        weather_(weather),
        client_(std::move(client)),
        before_(take_inventory(machine, server)) {}

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
    if (wait_until([&] { return (after = take_inventory(machine_, server_)) == before_; }))
      return {};
    return fmt::format("something is left behind: {}", text_of(after));
  }

 private:
  template <class Condition>
  bool wait_until(Condition condition) {
    const TimePoint end = clock_.now() + kPatience;
    while (!condition()) {
      if (clock_.now() > end) return false;
      clock_.sleep(kPause);
    }
    return true;
  }

  driver::Clock& clock_;
  uapi::Machine& machine_;
  uapi::Server& server_;
  Weather& weather_;
  const tools::ClientProgram client_;
  const HostInventory before_;
};

int failed(const char* what, Errno error) {
  fmt::print("bind_storm_kill: {}: {}\n", what, name_of(error));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    fmt::print(stderr, "usage: bind_storm_kill [--quick] [--seed N]\n");
    return 2;
  }
  set_log_level(LogLevel::kGap);
  driver::ThreadExecutor executor(kBindThreads);
  const auto machine = uapi::Machine::create(executor, {});
  if (!machine) return failed("the machine cannot be brought up", machine.error());
  const auto directory = tools::PrivateDirectory::create();
  if (!directory) return failed("no private directory", directory.error());
  if (auto made = uapi::make_device_tree(directory->path() + "/root", (*machine)->features());
      !made)
    return failed("no device files", made.error());
  Weather weather;
  const auto server = uapi::Server::create(**machine, directory->path(), &weather);
  if (!server) return failed("the server cannot listen", server.error());
  const tools::ServerThread serving(executor, **server);

  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  Campaign campaign(
      executor, **machine, **server, weather,
      {{(here / "bind_storm").string()}, tools::default_shim_path(), directory->path()});
  const TimePoint start = executor.clock().now();
  unsigned kills = 0;
  unsigned findings = 0;
  for (; kills < kKills && findings == 0; ++kills) {
    if (arguments.quick && executor.clock().now() - start > kQuickTime) break;
    const std::uint64_t seed = arguments.seed + kills;
    if (const std::string wrong = campaign.kill_once(seed); !wrong.empty()) {
      fmt::print("FOUND kill {}, --seed {}: {}\n", kills + 1, seed, wrong);
      ++findings;
    }
  }
  const Duration taken = executor.clock().now() - start;
  fmt::print("bind-storm-kill: {} kills in {} binds and {} jobs; baseline {}; {} findings, {} s\n",
             kills, weather.binds(), weather.jobs(), text_of(campaign.before()), findings,
             taken.ns / seconds(1).ns);
  return findings == 0 ? 0 : 1;
}
