// SPDX-License-Identifier: MIT
#include "campaigns/seeded/workload.h"

#include <iterator>
#include <memory>
#include <vector>

#include "campaigns/seeded/scene_client.h"

namespace pantry::seeded {
namespace {

// Each in a window of 1 GiB of its own.
constexpr std::uint64_t kPlace = 0x1'0000'0000;
constexpr std::uint64_t kFarPlace = 0x2'0000'0000;
constexpr std::uint64_t kBlock = 2 * kMiB;

void unmap(SceneClient& client, Effects) {
  client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] { client.unmap(kPlace, kPageSize); });
  client.use_unmapped(kPlace);
}

void unmap_half(SceneClient& client, Effects) {
  constexpr std::uint64_t kSize = 16 * kPageSize;
  client.map(kPlace, kSize);
  client.use(kPlace);
  client.use(kPlace + kSize - kPageSize);
  client.armed([&] { client.unmap(kPlace, kSize); });
  client.use_unmapped(kPlace + kSize - kPageSize);
}

void remap(SceneClient& client, Effects) {
  client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] { client.map(kPlace, kPageSize); });
  client.use(kPlace);
}

void read_only(SceneClient& client, Effects) {
  const std::uint32_t buffer = client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] { client.map_read_only(buffer, kPlace, kPageSize); });
  client.use_unmapped(kPlace);
}

void close(SceneClient& client, Effects) {
  const std::uint32_t buffer = client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] {
    client.unmap(kPlace, kPageSize);
    client.close(buffer);
  });
  client.use_unmapped(kPlace);
}

void reuse(SceneClient& client, Effects) {
  const std::uint32_t buffer = client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] {
    client.unmap(kPlace, kPageSize);
    client.close(buffer);
  });
  client.take_free_pages();
  client.use_unmapped(kPlace);
}

void split(SceneClient& client, Effects) {
  client.map(kPlace, kBlock);
  client.use(kPlace + kPageSize);
  client.armed([&] { client.unmap(kPlace, kPageSize); });
  client.use(kPlace + kBlock - kPageSize);
}

void join(SceneClient& client, Effects) {
  client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] { client.map(kPlace, kBlock); });
  client.use(kPlace);
}

void free_table(SceneClient& client, Effects) {
  client.map(kPlace, 2 * kPageSize);
  client.use(kPlace);
  client.armed([&] { client.unmap(kPlace, 2 * kPageSize); });
  client.use_unmapped(kPlace + kPageSize);
}

void reuse_table(SceneClient& client, Effects) {
  client.map(kPlace, 2 * kPageSize);
  client.use(kPlace);
  client.armed([&] { client.unmap(kPlace, 2 * kPageSize); });
  // Enough tables that the page that was freed is one of them.
  for (std::uint64_t i = 0; i < 8; ++i) client.map(kFarPlace + i * kBlock, kPageSize);
  client.use_unmapped(kPlace + kPageSize);
}

void two_binds(SceneClient& client, Effects) {
  client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] {
    client.unmap(kPlace, kPageSize);
    client.map(kFarPlace, kPageSize);
  });
  client.use(kFarPlace);
}

void start(SceneClient& client, Effects) {
  client.map(kPlace, kPageSize);
  client.armed([&] { client.use(kPlace); });
  client.use(kPlace);
}

void evict(SceneClient& client, Effects effects) {
  std::vector<std::unique_ptr<SceneClient>> others;
  for (int n = 0; n < 7; ++n) {
    others.push_back(client.another(effects));
    others.back()->map(kPlace, kPageSize);
    others.back()->use(kPlace);
    others.back()->end_group();
  }
  client.map(kPlace, kPageSize);
  client.armed([&] { client.use(kPlace); });
  client.use(kPlace);
}

void fault_and_back(SceneClient& client, Effects) {
  client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.use_unmapped(kFarPlace);
  client.end_group();
  client.armed([&] { client.use(kPlace); });
  client.use(kPlace);
}

void destroy(SceneClient& client, Effects effects) {
  client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.end_group();
  client.armed([&] { client.end_vm(); });
  const auto next = client.another(effects);
  next->map(kPlace, kPageSize);
  next->use(kPlace);
}

void hold(SceneClient& client, Effects) {
  client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] {
    client.map(kPlace + kPageSize, kPageSize);
    client.use(kPlace + kPageSize);
  });
  client.use(kPlace + kPageSize);
}

void hold_table(SceneClient& client, Effects) {
  client.map(kPlace, kPageSize);
  client.use(kPlace);
  client.armed([&] {
    client.map(kFarPlace, 2 * kPageSize);
    client.use(kFarPlace);
  });
  client.use(kFarPlace + kPageSize);
}

constexpr void (*kPlays[])(SceneClient&, Effects) = {
    unmap, unmap_half,     remap,      read_only,   close,     reuse,
    split, join,           free_table, reuse_table, two_binds, start,
    evict, fault_and_back, destroy,    hold,        hold_table};
static_assert(std::size(kPlays) == std::size(kScenes));

}  // namespace

void play(Scene scene, uapi::Machine& machine, driver::Executor& executor, Seeds& seeds,
          Effects effects) {
  SceneClient client(machine, executor, seeds, effects);
  kPlays[static_cast<std::size_t>(scene)](client, effects);
}

}  // namespace pantry::seeded
