// SPDX-License-Identifier: MIT
//
// kernel_mistakes SCENE_PROGRAM [NAME...]: does the MMU checker call the mistakes that are seeded
// on Linux's own driver by their names? Boots it once for each (campaigns/seeded/catalogue.cc), or
// for those that are named, with registers between driver and device that change what it says, and
// plays the scene with campaigns/clients/seeded_scene. First come the scenes without a mistake,
// which must give no report ("correct-unmap").
//
// A line each: "right NAME", or "WRONG NAME: " with what was reported. Exits 1 after a wrong one.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include <cstdio>
#include <string>
#include <vector>

#include "base/log.h"
#include "campaigns/seeded/armed_by_file.h"
#include "campaigns/seeded/catalogue.h"
#include "tools/kernel_command.h"
#include "tools/private_directory.h"

namespace pantry::seeded {
namespace {

struct Outcome {
  std::vector<emu::CheckerReport> mistakes;
  std::uint64_t changed = 0;
  std::string failure;  // of the run itself
};

Outcome boot(const std::string& program, Scene scene, Seed seed, Device device) {
  Outcome outcome;
  const auto directory = tools::PrivateDirectory::create();
  if (!directory) return {{}, 0, "no private directory"};
  const std::string file = directory->path() + "/armed";
  SeededMmio seeded(seed);
  auto registers = ArmedByFile::create(seeded, file);
  if (!registers) return {{}, 0, "the file cannot be made"};
  tools::KernelOptions options;
  options.quirks = quirks_of(device);
  options.checker = emu::RemoteDeviceConfig::Check::kReport;
  options.seam = &*registers;
  options.kernel_log = directory->path() + "/kernel.log";
  options.command = {program, std::string(name_of(scene)), file};
  tools::KernelOutcome kernel = tools::run_kernel(options);
  ::unlink(options.kernel_log.c_str());
  ::unlink(file.c_str());
  if (kernel.status != 0) outcome.failure = fmt::format("status {}", kernel.status);
  outcome.mistakes = std::move(kernel.mistakes);
  outcome.changed = seeded.changed();
  return outcome;
}

// What is wrong with it; empty: nothing.
std::string judge(const Entry& entry, const Outcome& outcome) {
  if (outcome.changed == 0) return "nothing was seeded; " + outcome.failure;
  if (outcome.mistakes.empty()) return "not seen; " + outcome.failure;
  const emu::CheckerReport& first = outcome.mistakes[0];
  const bool right = first.mistake == entry.mistake && (!entry.cause || first.cause == entry.cause);
  return right ? "" : text_of(first);
}

std::string judge_correct(const Outcome& outcome) {
  if (!outcome.mistakes.empty()) return text_of(outcome.mistakes[0]);
  return outcome.failure;
}

bool tell(const std::string& name, const std::string& wrong) {
  if (wrong.empty())
    fmt::print("right {}\n", name);
  else
    fmt::print("WRONG {}: {}\n", name, wrong);
  std::fflush(stdout);
  return wrong.empty();
}

bool is_wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

int run(const std::string& program, const std::vector<std::string>& names) {
  bool right = true;
  std::vector<Scene> scenes;
  for (const Entry& entry : linux_catalogue())
    if (std::ranges::find(scenes, entry.scene) == scenes.end()) scenes.push_back(entry.scene);
  for (const Scene scene : scenes) {
    const std::string name = "correct-" + std::string(name_of(scene));
    if (is_wanted(names, name))
      right &= tell(name, judge_correct(boot(program, scene, Seed::kNone, Device::kPlain)));
  }
  for (const Entry& entry : linux_catalogue())
    if (is_wanted(names, name_of(entry)))
      right &=
          tell(name_of(entry), judge(entry, boot(program, entry.scene, entry.seed, entry.device)));
  return right ? 0 : 1;
}

}  // namespace
}  // namespace pantry::seeded

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: kernel_mistakes SCENE_PROGRAM [NAME...]\n");
    return 2;
  }
  pantry::set_log_level(pantry::LogLevel::kOff);
  return pantry::seeded::run(argv[1], {argv + 2, argv + argc});
}
