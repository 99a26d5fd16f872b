// SPDX-License-Identifier: MIT
//
// bind_pattern NAME [SEED]: binds as clients of a kind do, the same each time from the same seed
// (1). Run under `pantry trace record`, it makes the trace of that kind. Needs 4 GiB of GPU memory,
// of which it touches none.
//
//   dense     1 GiB of addresses, 64 KiB at a time in order, out of one buffer; then all gone again
//   sparse    1024 tiles of 64 KiB at random in 4 GiB, one of which moves at a time (two
//             operations, asynchronous, signalling a timeline)
//   blocks    a buffer of 1 GiB at 64 places of 1 GiB, mapped or unmapped at random
//   heap      buffers of 4 KiB to 4 MiB, first fit in 1 GiB, three quarters full, for so long that
//             the free addresses are in pieces
//   teardown  16 frames of 256 buffers of 4 KiB to 1 MiB: mapped one by one, then each unmapped
//             asynchronously and its handle closed at once, as a GLES driver does

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <string_view>
#include <vector>

#include "campaigns/clients/dice.h"
#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/vm.h"
#include "igt_tests/lib/waits.h"

using namespace gpu;

namespace {

constexpr uint64_t kTile = 64 * 1024;
constexpr uint64_t kBase = kGigabyte;  // the first address that is used

void bind_async(Vm& vm, Binds& binds) { igt_assert_eq(vm.bind_async(binds), 0); }

void dense(const Device& device, Dice&) {
  const Bo bo = Bo::create(device, kGigabyte);
  Vm vm = Vm::create(device);
  for (uint64_t at = 0; at < kGigabyte; at += kTile) vm.map_part(bo, at, kBase + at, kTile, 0);
  for (uint64_t at = 0; at < kGigabyte; at += kTile) vm.unmap(kBase + at, kTile);
}

void sparse(const Device& device, Dice& dice) {
  constexpr uint64_t kTiles = 1024;
  constexpr uint64_t kMoves = 10'000;
  const Bo bo = Bo::create(device, kTiles * kTile);
  Vm vm = Vm::create(device);
  const Syncobj done = Syncobj::create(device);
  std::vector<uint64_t> places(4 * kGigabyte / kTile);
  std::iota(places.begin(), places.end(), kBase / kTile);
  for (uint64_t i = places.size(); i > 1; --i) std::swap(places[i - 1], places[dice.roll(i)]);

  for (uint64_t i = 0; i < kTiles; ++i) vm.map_part(bo, i * kTile, places[i] * kTile, kTile, 0);
  for (uint64_t move = 1; move <= kMoves; ++move) {
    const uint64_t tile = dice.roll(kTiles);
    uint64_t& to = places[kTiles + dice.roll(places.size() - kTiles)];
    Binds binds;
    binds.unmap(places[tile] * kTile, kTile, {});
    binds.map(bo, tile * kTile, to * kTile, kTile, 0, Syncs().signal(done, move));
    bind_async(vm, binds);
    std::swap(places[tile], to);
  }
  igt_assert_eq(done.wait_point(kMoves, kPatience), 0);
}

void blocks(const Device& device, Dice& dice) {
  const Bo bo = Bo::create(device, kGigabyte);
  Vm vm = Vm::create(device);
  std::vector<bool> mapped(64);
  for (int i = 0; i < 2'000; ++i) {
    const uint64_t place = dice.roll(mapped.size());
    const uint64_t va = kBase + place * kGigabyte;
    if (mapped[place])
      vm.unmap(va, kGigabyte);
    else
      vm.map(bo, va);
    mapped[place] = !mapped[place];
  }
}

// A power of two of pages up to `largest`, and then some.
uint64_t any_size(Dice& dice, uint64_t largest) {
  uint64_t most = kPage;
  while (most < largest && !dice.one_in(6)) most *= 2;
  return (1 + dice.roll(most / kPage)) * kPage;
}

void heap(const Device& device, Dice& dice) {
  constexpr uint64_t kFull = kGigabyte / 4 * 3;
  Vm vm = Vm::create(device);
  struct Block {
    uint64_t va;
    Bo bo;
  };
  std::vector<Block> blocks;
  std::map<uint64_t, uint64_t> taken;  // first address -> end
  uint64_t used = 0;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t size = any_size(dice, 4 * 1024 * 1024);
    while (!blocks.empty() && (used + size > kFull || dice.one_in(3))) {
      std::swap(blocks[dice.roll(blocks.size())], blocks.back());
      const Block& block = blocks.back();
      vm.unmap(block.va, block.bo.size());
      taken.erase(block.va);
      used -= block.bo.size();
      blocks.pop_back();
    }
    uint64_t va = kBase;
    for (const auto& [first, end] : taken) {
      if (first - va >= size) break;
      va = end;
    }
    blocks.push_back({va, Bo::create(device, size)});
    vm.map(blocks.back().bo, va);
    taken[va] = va + size;
    used += size;
  }
}

void teardown(const Device& device, Dice& dice) {
  constexpr int kFrames = 16;
  constexpr int kBuffers = 256;
  Vm vm = Vm::create(device);
  const Syncobj done = Syncobj::create(device);
  uint64_t point = 0;
  for (int frame = 0; frame < kFrames; ++frame) {
    std::vector<Bo> bos;
    std::vector<uint64_t> places;
    uint64_t va = kBase + static_cast<uint64_t>(frame % 2) * kGigabyte;
    for (int i = 0; i < kBuffers; ++i) {
      bos.push_back(Bo::create(device, any_size(dice, 1024 * 1024)));
      places.push_back(va);
      vm.map(bos.back(), va);
      va += bos.back().size();
    }
    for (int i = 0; i < kBuffers; ++i) {
      Binds binds;
      const auto at = static_cast<size_t>(i);
      binds.unmap(places[at], bos[at].size(), Syncs().signal(done, ++point));
      bind_async(vm, binds);
      bos[at].close_handle();
    }
  }
  igt_assert_eq(done.wait_point(point, kPatience), 0);
}

struct Pattern {
  std::string_view name;
  void (*bind)(const Device& device, Dice& dice);
};
constexpr Pattern kPatterns[] = {{"dense", dense},
                                 {"sparse", sparse},
                                 {"blocks", blocks},
                                 {"heap", heap},
                                 {"teardown", teardown}};

}  // namespace

int main(int argc, char** argv) {
  const auto* const pattern = std::ranges::find(
      kPatterns, argc > 1 ? std::string_view(argv[1]) : std::string_view(), &Pattern::name);
  if (pattern == std::end(kPatterns) || argc > 3) {
    fputs("usage: bind_pattern dense|sparse|blocks|heap|teardown [SEED]\n", stderr);
    return 2;
  }
  Dice dice(argc > 2 ? strtoull(argv[2], nullptr, 0) : 1);
  const Device device = Device::open_render();
  pattern->bind(device, dice);
}
