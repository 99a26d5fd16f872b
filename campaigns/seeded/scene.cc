// SPDX-License-Identifier: MIT
#include "campaigns/seeded/scene.h"

#include <iterator>

namespace pantry::seeded {

std::string_view name_of(Scene scene) {
  constexpr std::string_view kNames[] = {
      "unmap", "unmap-half",     "remap",      "read-only",   "close",     "reuse",
      "split", "join",           "free-table", "reuse-table", "two-binds", "start",
      "evict", "fault-and-back", "destroy",    "hold",        "hold-table"};
  static_assert(std::size(kNames) == std::size(kScenes));
  return kNames[static_cast<std::size_t>(scene)];
}

}  // namespace pantry::seeded
