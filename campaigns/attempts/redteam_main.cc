// SPDX-License-Identifier: MIT
//
// redteam [NAME]: every attempt (or the one of that name) on a scene of its own, after its control
// on another. Prints a line for each; fails when one is not refused as it should be, not logged, or
// leaves a trace, and when a control does not do what the attempt wants to. One that this process
// cannot try is skipped, with the reason, and not counted. The campaign is scripts/campaign
// redteam.
#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "base/log.h"
#include "campaigns/attempts/attempt.h"

namespace {

using namespace pantry;
using namespace pantry::redteam;

// How many mistakes the log names so far: of clients, or of who hosts or joins.
std::size_t mistakes_logged(const std::string& log) {
  std::size_t count = 0;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);)
    count += line.find("client:") != line.npos || line.find("error:") != line.npos;
  return count;
}

std::string errno_text(int result) {
  if (result == 0) return "success";
  if (result == Attempt::kNothing) return "nothing";
  return name_of(static_cast<Errno>(-result));
}

// What is wrong with the control, if anything.
std::string try_control(const Attempt& attempt) {
  Scene scene;
  if (attempt.prepare) attempt.prepare(scene);
  const std::string before = scene.fingerprint();
  const int result = attempt.act(scene, Side::kControl);
  if (result != 0) return fmt::format("the control gets {}", errno_text(result));
  if (attempt.effect == Attempt::Effect::kChanges && scene.fingerprint() == before)
    return "the control changes nothing that is looked at";
  return {};
}

std::string try_attack(const Attempt& attempt, const std::string& log) {
  Scene scene;
  if (attempt.prepare) attempt.prepare(scene);
  const std::string before = scene.fingerprint();
  const std::size_t logged = mistakes_logged(log);
  const int result = attempt.act(scene, Side::kAttack);
  const int wanted = attempt.refusal == Attempt::kNothing ? Attempt::kNothing : -attempt.refusal;
  if (result != wanted)
    return fmt::format("gets {} instead of {}", errno_text(result), errno_text(wanted));
  if (const std::string after = scene.fingerprint(); after != before)
    return fmt::format("leaves a trace; before:\n{}after:\n{}", before, after);
  if (attempt.refusal != Attempt::kNothing && mistakes_logged(log) == logged)
    return "is not logged";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  std::string log = "/tmp/pantry-redteam-log-XXXXXX";
  const int created = ::mkstemp(log.data());
  if (created < 0 || !set_log_file(log.c_str())) return 2;
  ::close(created);
  set_log_level(LogLevel::kClient);
  unsigned tried = 0, findings = 0, skipped = 0;
  for (const auto& attempts :
       {foreign_handle_attempts(), memory_attempts(), descriptor_attempts(), argument_attempts(),
        exhaustion_attempts(), race_attempts(), socket_attempts(), path_attempts()})
    for (const Attempt& attempt : attempts) {
      if (argc > 1 && std::strcmp(argv[1], "--quick") != 0 &&
          std::strcmp(argv[1], attempt.name) != 0)
        continue;
      if (const char* const obstacle = attempt.obstacle ? attempt.obstacle() : nullptr) {
        ++skipped;
        fmt::print("{:56} skipped: {}\n", attempt.name, obstacle);
        continue;
      }
      ++tried;
      std::string wrong = try_control(attempt);
      if (wrong.empty()) wrong = try_attack(attempt, log);
      findings += !wrong.empty();
      fmt::print("{:56} {}\n", attempt.name,
                 wrong.empty() ? "refused: " + errno_text(attempt.refusal == Attempt::kNothing
                                                              ? Attempt::kNothing
                                                              : -attempt.refusal)
                               : "FOUND: " + wrong);
    }
  ::unlink(log.c_str());
  fmt::print("redteam: {} attempts, each with its control; {} findings; {} skipped\n", tried,
             findings, skipped);
  return findings == 0 && tried != 0 ? 0 : 1;
}
