// SPDX-License-Identifier: MIT

#include "igt_tests/lib/cases.h"

#include <optional>

#include "igt_tests/harness/igt.h"

namespace gpu {

void run_cases(std::span<const Case> cases) {
  std::optional<Device> device;
  igt_subtest_group {
    igt_fixture { device.emplace(Device::open_primary()); };
    for (const Case& each : cases) {
      igt_describe(each.purpose);
      igt_subtest(each.name) { each.body(*device); };
    }
    igt_fixture { device.reset(); };
  };
}

}  // namespace gpu
