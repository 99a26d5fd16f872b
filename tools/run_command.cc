// SPDX-License-Identifier: MIT
#include "tools/run_command.h"

#include <fmt/core.h>
#include <signal.h>

#include <atomic>
#include <cstdio>

#include "base/log.h"
#include "driver/kernel/thread_executor.h"
#include "tools/checker_output.h"
#include "tools/client_process.h"
#include "tools/injected_faults.h"
#include "tools/private_directory.h"
#include "tools/report.h"
#include "tools/server_thread.h"
#include "tools/trace/recorder.h"
#include "uapi/server/device_tree.h"
#include "uapi/server/server.h"
#include "uapi/server/socket_directory.h"

namespace pantry::tools {
namespace {

constexpr unsigned kBindThreads = 2;
constexpr int kCannotHost = 125;
constexpr int kCannotStart = 127;

int fail(const char* what, Errno error) {
  fmt::print(stderr, "pantry: {}: {}\n", what, name_of(error));
  return kCannotHost;
}

// The program's exit status, or why it has none.
int run_program(const ClientProgram& program) {
  const auto exited = run_client(program);
  if (exited) return *exited;
  fmt::print(stderr, "pantry: {}: {}\n", program.command[0], name_of(exited.error()));
  return kCannotStart;
}

// Whether we have been asked to end, at a time when the program is not there to be told. Then
// nothing of ours is to be left behind, so the handlers stay; the keyboard's SIGQUIT ends us still.
class EndAsked {
 public:
  EndAsked() {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction action {};
      ::sigaction(signal, nullptr, &action);
      if (action.sa_handler == SIG_IGN) continue;
      action = {};
      action.sa_handler = [](int number) { asked = number; };
      ::sigaction(signal, &action, nullptr);
    }
  }
  // The signal, or 0.
  static int by() { return asked; }

 private:
  static inline std::atomic<int> asked{0};
};

// False: the file cannot be written.
bool write_trace(trace::Recorder& recorder, const std::string& path) {
  if (const std::uint64_t left_out = recorder.unreadable(); left_out != 0)
    fmt::print(stderr, "pantry: {} VM_BINDs could not be read and are not in the trace\n",
               left_out);
  const std::vector<std::byte> bytes = recorder.finish();
  std::FILE* const file = std::fopen(path.c_str(), "we");
  const bool written = file && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if ((file && std::fclose(file) != 0) || !written) {
    fmt::print(stderr, "pantry: {}: cannot be written\n", path);
    return false;
  }
  return true;
}

}  // namespace

int join_command(const JoinOptions& options) {
  if (const auto host = uapi::check_host(options.host); !host)
    return fail(options.host.c_str(), host.error());
  return run_program({options.command, options.shim, options.host});
}

int run_command(const RunOptions& options) {
  const EndAsked end_asked;
  InjectedFaults faults(options.device.faults);
  driver::ThreadExecutor executor(kBindThreads);
  uapi::MachineConfig config = options.device.machine;
  config.misbehaviour = faults.misbehaviour();
  const bool wanted = options.report == RunOptions::Report::kPrint;
  if (wanted) config.bind_times = driver::BindTimes::kOn;
  auto machine = uapi::Machine::create(executor, config);
  if (!machine) return fail("the machine cannot be brought up", machine.error());
  const auto directory = PrivateDirectory::create();
  if (!directory) return fail("no private directory", directory.error());
  if (auto made = uapi::make_device_tree(directory->path() + "/root", (*machine)->features());
      !made)
    return fail("no device files", made.error());

  Report report(**machine);
  trace::Recorder recorder((*machine)->features());
  uapi::ServerObserver* observer = nullptr;
  if (wanted) observer = &report;
  if (!options.trace.empty()) observer = &recorder;
  auto server = uapi::Server::create(**machine, directory->path(), observer);
  if (!server) return fail("the server cannot listen", server.error());
  int status = 0;
  {
    const ServerThread serving(executor, **server);
    status = end_asked.by() != 0 ? 128 + end_asked.by()
                                 : run_program({options.command, options.shim, directory->path()});
    // A child that the program left behind may still use the device.
    while ((*server)->connections() != 0 && end_asked.by() == 0)
      executor.clock().sleep(milliseconds(1));
  }
  server->reset();
  faults.print((*machine)->gpu().recoveries());
  if (wanted) std::fputs(report.text().c_str(), stderr);
  if (!options.trace.empty() && !write_trace(recorder, options.trace)) status = kCannotHost;
  if (!print_mistakes((*machine)->mistakes(), options.device.checker_json)) return kCannotHost;
  return status;
}

}  // namespace pantry::tools
