// SPDX-License-Identifier: MIT
//
// histories [--quick] [--seed N] [--steps N] [--histories N] [--jobs N]: 50,000,000 random steps
// under the model (model_history.h), in histories of 5,000; and 20,000 simulated histories of
// clients (client_history.h). Then, to show that this finds and shrinks: the first with registers
// that lose flushes. The campaign is scripts/campaign histories.
#include <fmt/core.h>
#include <sched.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/log.h"
#include "campaigns/hosts/client_history.h"
#include "campaigns/hosts/model_history.h"

namespace pantry::campaigns {
namespace {

constexpr std::uint64_t kSteps = 50'000'000;
constexpr std::uint64_t kQuickSteps = 100'000;
constexpr std::uint64_t kHistories = 20'000;
constexpr std::uint64_t kQuickHistories = 40;
constexpr std::uint64_t kStepsPerHistory = 5'000;

unsigned processors() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
}

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t steps = kSteps;
  std::uint64_t histories = kHistories;
  unsigned jobs = processors();
};

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const auto number = [&](const char* name) {
      return std::strcmp(argv[i], name) == 0 && i + 1 < argc;
    };
    if (std::strcmp(argv[i], "--quick") == 0)
      arguments.steps = kQuickSteps, arguments.histories = kQuickHistories;
    else if (number("--seed"))
      arguments.seed = ::strtoull(argv[++i], nullptr, 0);
    else if (number("--steps"))
      arguments.steps = ::strtoull(argv[++i], nullptr, 0);
    else if (number("--histories"))
      arguments.histories = ::strtoull(argv[++i], nullptr, 0);
    else if (number("--jobs"))
      arguments.jobs = std::max(1u, static_cast<unsigned>(::atoi(argv[++i])));
    else
      return std::nullopt;
  }
  return arguments;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int run(const Arguments& arguments) {
  set_log_level(LogLevel::kOff);
  std::uint64_t findings = 0;

  const auto start = std::chrono::steady_clock::now();
  const ModelHistory model(kStepsPerHistory, LossyRegisters::Lost::kNothing);
  const Hunt steps =
      hunt("the model", model, arguments.seed,
           (arguments.steps + kStepsPerHistory - 1) / kStepsPerHistory, arguments.jobs);
  findings += steps.findings;
  const double model_time = seconds_since(start);

  const auto clients_start = std::chrono::steady_clock::now();
  const Hunt clients =
      hunt("the clients", ClientHistory(), arguments.seed, arguments.histories, arguments.jobs);
  findings += clients.findings;
  const double clients_time = seconds_since(clients_start);

  fmt::print("without flushes, which must be found:\n");
  const ModelHistory lossy(kStepsPerHistory, LossyRegisters::Lost::kLockAndFlush);
  const Hunt control = hunt("the control", lossy, arguments.seed, 1, 1);
  if (control.findings == 0) {
    ++findings;
    fmt::print("FOUND nothing in the control\n");
  }
  const std::uint64_t played = steps.histories * kStepsPerHistory;
  fmt::print(
      "histories: {} steps under the model, {:.0f} steps/s; {} simulated histories of clients, "
      "{:.1f} a second; seeds from {}, {} processes; control shrunk to {} steps; {} findings, "
      "{:.0f} "
      "s\n",
      played, static_cast<double>(played) / model_time, clients.histories,
      static_cast<double>(clients.histories) / clients_time, arguments.seed, arguments.jobs,
      control.shrunk_to, findings, seconds_since(start));
  return findings == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pantry::campaigns

int main(int argc, char** argv) {
  const auto arguments = pantry::campaigns::parse(argc, argv);
  if (!arguments) {
    fmt::print(stderr,
               "usage: histories [--quick] [--seed N] [--steps N] [--histories N] [--jobs N]\n");
    return 2;
  }
  return pantry::campaigns::run(*arguments);
}
