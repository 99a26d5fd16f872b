// SPDX-License-Identifier: MIT
//
// How many pages each provisioner lays in for each page that becomes a table, over what clients do:
// the ratio that a bound on the reserve of a VM would meet.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "driver/provision/provisioner_rig.h"
#include "driver/provision/provisioning.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kTile = 64 * kKiB;

using Trace = std::vector<Bind>;

// Frames as a fresh buffer has them: contiguous, at a multiple of its size.
Bind map(std::uint64_t va, std::uint64_t size, const PhysExtent& frames) {
  return {{BindShape::Kind::kMap, GpuRange::of_size({va}, size),
           ExtentCursor(std::span<const PhysExtent>(&frames, 1), 0)},
          Prot::kNone};
}
Bind unmap(std::uint64_t va, std::uint64_t size) {
  return {{BindShape::Kind::kUnmap, GpuRange::of_size({va}, size)}, Prot::kNone};
}

constexpr PhysExtent kTileFrames{{64 * kGiB + kTile}, kTile};
constexpr PhysExtent kGiBFrames{{96 * kGiB}, kGiB};

// 1 GiB tile by tile, and all of it gone again.
Trace dense() {
  Trace trace;
  for (std::uint64_t at = 0; at < kGiB; at += kTile)
    trace.push_back(map(kGiB + at, kTile, kTileFrames));
  for (std::uint64_t at = 0; at < kGiB; at += kTile) trace.push_back(unmap(kGiB + at, kTile));
  return trace;
}
// 1024 tiles anywhere in 4 GiB, of which one moves each time.
Trace random_tiles() {
  Trace trace;
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> places(4 * kGiB / kTile);
  std::iota(places.begin(), places.end(), 0);
  std::shuffle(places.begin(), places.end(), random);
  constexpr std::size_t kLive = 1024;
  for (std::size_t i = 0; i < kLive; ++i)
    trace.push_back(map(places[i] * kTile, kTile, kTileFrames));
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t from = random() % kLive;
    const std::size_t to = kLive + random() % (places.size() - kLive);
    trace.push_back(unmap(places[from] * kTile, kTile));
    trace.push_back(map(places[to] * kTile, kTile, kTileFrames));
    std::swap(places[from], places[to]);
  }
  return trace;
}
// Buffers of 1 GiB, in 2 MiB blocks, at random in 256 places.
Trace gib_blocks() {
  Trace trace;
  std::mt19937_64 random(4);
  std::vector<bool> mapped(256);
  for (int i = 0; i < 2'000; ++i) {
    const std::size_t place = random() % mapped.size();
    trace.push_back(mapped[place] ? unmap(place * kGiB, kGiB)
                                  : map(place * kGiB, kGiB, kGiBFrames));
    mapped[place] = !mapped[place];
  }
  return trace;
}

// Each bind is prepared while `queued` before it have not run.
double reserved_per_used(Provisioning kind, const Trace& trace, std::size_t queued) {
  Space space(kind, TableConfig{});
  std::deque<std::pair<Provision, const Bind*>> pending;
  const auto run_first = [&] {
    space.run(std::move(pending.front().first), *pending.front().second);
    pending.pop_front();
  };
  for (const Bind& bind : trace) {
    Result<Provision> provision = space.prepare_queued(bind);
    if (!provision) {
      ADD_FAILURE() << "no memory";
      break;
    }
    pending.emplace_back(*std::move(provision), &bind);
    if (pending.size() > queued) run_first();
  }
  while (!pending.empty()) run_first();
  return static_cast<double>(space.reserved) / static_cast<double>(space.used);
}

TEST(ReservedPages, AreHardlyMoreThanUsedUnlessForTheWorstCase) {
  const std::pair<const char*, Trace> traces[] = {
      {"dense 64 KiB", dense()}, {"random 64 KiB", random_tiles()}, {"1 GiB blocks", gib_blocks()}};
  for (const auto& [name, trace] : traces) {
    for (const std::size_t queued : {0, 1, 8}) {
      const double worst = reserved_per_used(Provisioning::kWorstCase, trace, queued);
      const double exact = reserved_per_used(Provisioning::kExact, trace, queued);
      const double range = reserved_per_used(Provisioning::kRangeReserve, trace, queued);
      std::cout << name << ", " << queued << " queued: worst-case " << worst << ", exact " << exact
                << ", range-reserve " << range << "\n";
      EXPECT_LE(exact, 1.05) << name << queued;
      EXPECT_GE(exact, 1.0) << name << queued;
      EXPECT_LE(range, 1.05) << name << queued;
      EXPECT_GE(worst, 3.0) << name << queued;
    }
  }
}

}  // namespace
}  // namespace pantry::driver
