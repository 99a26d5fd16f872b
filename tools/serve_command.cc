// SPDX-License-Identifier: MIT
#include "tools/serve_command.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>

#include "driver/kernel/thread_executor.h"
#include "tools/checker_output.h"
#include "tools/client_process.h"
#include "tools/injected_faults.h"
#include "tools/server_thread.h"
#include "uapi/server/device_tree.h"
#include "uapi/server/server.h"
#include "uapi/server/socket_directory.h"

namespace pantry::tools {
namespace {

constexpr unsigned kBindThreads = 2;
constexpr int kCannotHost = 125;

int fail(const std::string& what, Errno error) {
  fmt::print(stderr, "pantry: {}: {}\n", what, name_of(error));
  return kCannotHost;
}

// Blocked in every thread, so that whoever asks gets them.
class EndingSignals {
 public:
  EndingSignals() {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM}) ::sigaddset(&signals_, signal);
    // Blocked, it would come in spite of nohup.
    struct sigaction at_hang_up {};
    ::sigaction(SIGHUP, nullptr, &at_hang_up);
    if (at_hang_up.sa_handler != SIG_IGN) ::sigaddset(&signals_, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  // For the first. The next one ends the process at once: a request may wait for ever for memory
  // of its client's.
  void wait() {
    int signal = 0;
    while (::sigwait(&signals_, &signal) != 0) {
    }
    ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
  }

 private:
  sigset_t signals_;
};

// Where the command line leaves it open: no client gets more than half of what there is.
void bound_shares(uapi::MachineConfig& machine) {
  driver::Limits& limits = machine.limits;
  std::uint64_t& memory = limits[driver::Resource::kMemory];
  if (memory == driver::kNoLimit) memory = machine.dram_bytes / 2;
  std::uint64_t& descriptors = limits[driver::Resource::kDescriptors];
  rlimit limit{};
  if (descriptors == driver::kNoLimit && ::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    descriptors = limit.rlim_cur / 2;
}

}  // namespace

int serve_command(const ServeOptions& options) {
  EndingSignals ending;
  // A client runs as the same user: without this it could take our descriptors from /proc, and with
  // them the memory of all others.
  ::prctl(PR_SET_DUMPABLE, 0);
  take_all_descriptors();
  InjectedFaults faults(options.device.faults);
  driver::ThreadExecutor executor(kBindThreads);
  uapi::MachineConfig config = options.device.machine;
  config.misbehaviour = faults.misbehaviour();
  bound_shares(config);
  auto machine = uapi::Machine::create(executor, config);
  if (!machine) return fail("the machine cannot be brought up", machine.error());
  const auto directory = uapi::SocketDirectory::create(options.socket);
  if (!directory) return fail(options.socket, directory.error());
  if (auto made = uapi::make_device_tree(directory->path() + "/root", (*machine)->features());
      !made)
    return fail("no device files", made.error());
  auto server = uapi::Server::create(**machine, directory->path(), nullptr);
  if (!server) return fail("the server cannot listen", server.error());
  {
    const ServerThread serving(executor, **server);
    fmt::print("serving at {}\n", directory->path());
    std::fflush(stdout);
    ending.wait();
  }
  server->reset();
  faults.print((*machine)->gpu().recoveries());
  return print_mistakes((*machine)->mistakes(), options.device.checker_json) ? 0 : kCannotHost;
}

}  // namespace pantry::tools
