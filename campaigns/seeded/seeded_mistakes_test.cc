// SPDX-License-Identifier: MIT
//
// Does the MMU checker call every seeded mistake by its name, and stay silent about a driver that
// makes none? The driver is ours, unchanged, under simulation. scripts/campaign checker runs this.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/sanitizer.h"
#include "campaigns/seeded/catalogue.h"
#include "campaigns/seeded/workload.h"
#include "driver/kernel/sim_executor.h"
#include "gpu_emu/checker/report.h"

namespace pantry::seeded {
namespace {

constexpr emu::Quirks::Caching kCachings[] = {
    emu::Quirks::Caching::kCoherent, emu::Quirks::Caching::kReal, emu::Quirks::Caching::kSticky,
    emu::Quirks::Caching::kSpeculative};

// How many orders of events each scene of the correct driver is played in.
std::uint64_t orders() {
  const char* const text = std::getenv("PANTRY_CHECKER_SEEDS");
  return text ? std::strtoull(text, nullptr, 0) : 3;
}

struct Outcome {
  std::vector<emu::CheckerReport> mistakes;
  std::uint64_t changed = 0;
};

Outcome outcome_of(Scene scene, Seed seed, const emu::Quirks& quirks, std::uint64_t order,
                   Effects effects) {
  Seeds seeds(seed);
  Outcome outcome;
  driver::SimExecutor executor(order, 2);
  {
    uapi::MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    config.quirks = quirks;
    config.checker = uapi::MachineConfig::Check::kReport;
    config.seam = &seeds.registers;
    config.frame_seam = &seeds.frames;
    config.irq_seam = &seeds.lines;
    auto machine = uapi::Machine::create(executor, config);
    EXPECT_TRUE(machine.has_value());
    if (!machine) return outcome;
    play(scene, **machine, executor, seeds, effects);
    outcome = {(*machine)->mistakes(), seeds.changed()};
    machine->reset();
    executor.join_spawned();
  }
  return outcome;
}

// The registers between driver and device belong to the one thread that has the baton, which
// ThreadSanitizer is told to see through.
class WithoutThreadSanitizer final : public testing::Environment {
  void SetUp() override {
#if PANTRY_THREAD_SANITIZER
    GTEST_SKIP() << "the seeded registers have no locks of their own";
#endif
  }
};
[[maybe_unused]] testing::Environment* const environment =
    testing::AddGlobalTestEnvironment(new WithoutThreadSanitizer);

class Seeded : public testing::TestWithParam<Entry> {};

TEST_P(Seeded, IsCalledByItsName) {
  const Entry& entry = GetParam();
  const Outcome outcome =
      outcome_of(entry.scene, entry.seed, quirks_of(entry.device), 1, Effects::kIgnored);
  EXPECT_NE(outcome.changed, 0u) << "nothing was seeded";
  ASSERT_FALSE(outcome.mistakes.empty()) << "not seen; " << name_of(entry.mistake);
  const emu::CheckerReport& first = outcome.mistakes[0];
  EXPECT_EQ(name_of(first.mistake), name_of(entry.mistake)) << text_of(first);
  if (entry.cause) {
    ASSERT_TRUE(first.cause) << text_of(first);
    EXPECT_EQ(name_of(*first.cause), name_of(*entry.cause)) << text_of(first);
  }
}

INSTANTIATE_TEST_SUITE_P(Mistakes, Seeded, testing::ValuesIn(catalogue()),
                         [](const testing::TestParamInfo<Entry>& info) {
                           std::string name = name_of(info.param);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

class Correct : public testing::TestWithParam<Scene> {};

TEST_P(Correct, GetsNoReportWithAnyCaching) {
  for (const emu::Quirks::Caching caching : kCachings) {
    for (std::uint64_t order = 0; order < orders(); ++order) {
      emu::Quirks quirks;
      quirks.caching = caching;
      quirks.speculation_seed = order;
      const Outcome outcome = outcome_of(GetParam(), Seed::kNone, quirks, order, Effects::kChecked);
      for (const emu::CheckerReport& mistake : outcome.mistakes)
        ADD_FAILURE() << "caching " << static_cast<int>(caching) << ", seed " << order << ": "
                      << text_of(mistake);
    }
  }
}

TEST_P(Correct, GetsNoReportForWhatIsNoMistake) {
  for (const Seed seed : harmless()) {
    for (const auto caching : {emu::Quirks::Caching::kReal, emu::Quirks::Caching::kSpeculative}) {
      emu::Quirks quirks;
      quirks.caching = caching;
      const Outcome outcome = outcome_of(GetParam(), seed, quirks, 1, Effects::kChecked);
      for (const emu::CheckerReport& mistake : outcome.mistakes)
        ADD_FAILURE() << name_of(seed) << ": " << text_of(mistake);
    }
  }
}

// A seed that changes nothing would be borne by anybody.
TEST(Harmless, EachSeedChangesSomething) {
  for (const Seed seed : harmless()) {
    if (seed == Seed::kNone) continue;
    std::uint64_t changed = 0;
    for (const Scene scene : {Scene::kUnmap, Scene::kStart})
      changed += outcome_of(scene, seed, {}, 1, Effects::kChecked).changed;
    EXPECT_NE(changed, 0u) << name_of(seed);
  }
}

INSTANTIATE_TEST_SUITE_P(Scenes, Correct, testing::ValuesIn(kScenes),
                         [](const testing::TestParamInfo<Scene>& info) {
                           std::string name(name_of(info.param));
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace pantry::seeded
