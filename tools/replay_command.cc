// SPDX-License-Identifier: MIT
#include "tools/replay_command.h"

#include <fmt/core.h>

#include <cstdio>

#include "driver/kernel/thread_executor.h"
#include "tools/trace/trace_file.h"

namespace pantry::tools {
namespace {

constexpr unsigned kBindThreads = 2;
constexpr int kNoTrace = 2;
constexpr int kCannotHost = 125;

}  // namespace

int replay_command(const ReplayOptions& options) {
  const auto bytes = trace::read_file(options.file);
  if (!bytes) {
    fmt::print(stderr, "pantry: {}: {}\n", options.file, bytes.error());
    return kCannotHost;
  }
  const auto trace = trace::parse(*bytes);
  if (!trace) {
    fmt::print(stderr, "pantry: {}: byte {}: {}\n", options.file, trace.error().at,
               trace.error().what);
    return kNoTrace;
  }
  driver::ThreadExecutor executor(kBindThreads);
  uapi::MachineConfig config = options.machine;
  config.bind_times = driver::BindTimes::kOn;
  auto machine = uapi::Machine::create(executor, config);
  if (!machine) {
    fmt::print(stderr, "pantry: the machine cannot be brought up: {}\n", name_of(machine.error()));
    return kCannotHost;
  }
  const Result<trace::Replayed> replayed = trace::replay(**machine, *trace, options.slots);
  if (!replayed) {
    fmt::print(stderr, "pantry: {}: {}\n", options.file, name_of(replayed.error()));
    return kCannotHost;
  }
  const bool json = options.output == ReplayOptions::Output::kJson;
  std::fputs((json ? trace::json_of(*replayed) : trace::text_of(*replayed)).c_str(), stdout);
  return 0;
}

}  // namespace pantry::tools
