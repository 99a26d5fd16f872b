// SPDX-License-Identifier: MIT
//
// history FIRST COUNT STEPS [STEP,STEP...]: runs the histories with the seeds FIRST .. FIRST +
// COUNT - 1, of STEPS steps each or only of those listed, and prints a line "SEED STEP what
// happened" per step. campaigns/referee compares what two drivers make of them.

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "campaigns/clients/history.h"

namespace {

std::vector<uint32_t> steps_of(uint32_t steps, const char* list) {
  std::vector<uint32_t> chosen;
  if (list == nullptr) {
    for (uint32_t step = 0; step < steps; ++step) chosen.push_back(step);
    return chosen;
  }
  for (char* end = nullptr; *list != '\0'; list = *end == ',' ? end + 1 : end) {
    chosen.push_back(static_cast<uint32_t>(strtoul(list, &end, 10)));
    if (end == list) break;
  }
  return chosen;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    fprintf(stderr, "usage: history FIRST COUNT STEPS [STEP,STEP...]\n");
    return 2;
  }
  const uint64_t first = strtoull(argv[1], nullptr, 10);
  const uint64_t count = strtoull(argv[2], nullptr, 10);
  const std::vector<uint32_t> steps =
      steps_of(static_cast<uint32_t>(strtoul(argv[3], nullptr, 10)), argc == 5 ? argv[4] : nullptr);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    History history(seed);
    for (const uint32_t step : steps)
      printf("%llu %u %s\n", static_cast<unsigned long long>(seed), step,
             history.step(step).c_str());
    fflush(stdout);
  }
}
