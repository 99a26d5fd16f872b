// SPDX-License-Identifier: MIT
//
// The VA tree: VaSpace beside drm_gpuvm, with 64 KiB mappings at every second 64 KiB of the space.
// Each pass touches other mappings, at random, so the more there are, the less of the tree is in a
// cache.
#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "bench/comparison.h"
#include "bench/linux_peer/linux_peer.h"
#include "bench/our_va_space.h"

namespace pantry::bench {
namespace {

constexpr std::uint64_t kSize = 64 * kKiB;
constexpr std::uint64_t kStride = 2 * kSize;
// In one pass. Of a large tree so many that a pass reads most of it: the side then measures its own
// tree in the caches, as a driver would, and not how much of it the other side has left there.
// Changes take longer, and are undone after each pass, so there are fewer.
constexpr std::uint64_t changes(std::uint64_t mappings) {
  return std::clamp<std::uint64_t>(mappings / 64, 128, 16384);
}
constexpr std::uint64_t lookups(std::uint64_t mappings) {
  return std::clamp<std::uint64_t>(mappings / 16, 128, 65536);
}
// Beside the mappings: those of one pass, of which each may be split in two.
constexpr std::uint64_t spare_nodes(std::uint64_t mappings) { return 2 * changes(mappings) + 3; }

driver::VaMapping mapping(std::uint64_t first) {
  // The object is any address; that of a mapping's page says which mapping it is.
  return {GpuRange::of_size({first}, kSize), reinterpret_cast<void*>(1), first, 0};
}

class Ours {
 public:
  explicit Ours(std::uint64_t space) : space_(space) {}
  void map(std::uint64_t first) { space_.map(mapping(first)); }
  void unmap(std::uint64_t first, std::uint64_t size) {
    space_.unmap(GpuRange::of_size({first}, size));
  }
  std::uint64_t find(std::uint64_t va) { return space_.find({va}); }

 private:
  OurVaSpace space_;
};

class Theirs {
 public:
  Theirs(std::uint64_t space, std::uint64_t nodes)
      : size_(space), space_(linux_va_space_create(space, static_cast<unsigned>(nodes))) {}
  ~Theirs() {
    linux_va_space_unmap(space_, 0, size_);
    linux_va_space_destroy(space_);
  }
  Theirs(const Theirs&) = delete;
  Theirs& operator=(const Theirs&) = delete;
  void map(std::uint64_t first) {
    const linux_va_mapping mapping{first, kSize, 0, first};
    linux_va_space_map(space_, &mapping);
  }
  void unmap(std::uint64_t first, std::uint64_t size) { linux_va_space_unmap(space_, first, size); }
  std::uint64_t find(std::uint64_t va) { return linux_va_space_find(space_, va); }

 private:
  const std::uint64_t size_;
  linux_va_space* space_;
};

// Both sides with the same `mappings`, made in random order.
struct Spaces {
  explicit Spaces(std::uint64_t count) : mappings(count), ours(count * kStride) {
    if (linux_peer_installed())
      theirs = std::make_unique<Theirs>(count * kStride, count + spare_nodes(count));
    std::vector<std::uint64_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937_64(count));
    for (const std::uint64_t slot : order) ours.map(slot * kStride);
    if (theirs)
      for (const std::uint64_t slot : order) theirs->map(slot * kStride);
  }
  const std::uint64_t mappings;
  Ours ours;
  std::unique_ptr<Theirs> theirs;
};

// Kept from one benchmark to the next, since a million mappings take seconds to make.
Spaces& spaces(std::uint64_t mappings) {
  static std::unique_ptr<Spaces> kept;
  if (!kept || kept->mappings != mappings) {
    kept.reset();
    kept = std::make_unique<Spaces>(mappings);
  }
  return *kept;
}

// Different mappings for each operation of the pass.
template <class Space>
class SpaceWork : public Work {
 public:
  SpaceWork(Space& space, std::uint64_t mappings, std::uint64_t operations)
      : space_(space), firsts_(operations), order_(mappings) {
    std::iota(order_.begin(), order_.end(), 0);
  }
  std::uint64_t operations() const { return firsts_.size(); }
  void prepare(std::uint64_t pass) override {
    std::mt19937_64 random(pass);
    for (std::uint64_t i = 0; i < operations(); ++i) {
      std::swap(order_[i], order_[i + random() % (order_.size() - i)]);
      firsts_[i] = order_[i] * kStride;
    }
  }

 protected:
  Space& space_;
  std::vector<std::uint64_t> firsts_;

 private:
  std::vector<std::uint64_t> order_;
};

// In the holes between the mappings.
template <class Space>
class Map final : public SpaceWork<Space> {
 public:
  Map(Space& space, std::uint64_t mappings)
      : SpaceWork<Space>(space, mappings, changes(mappings)) {}
  void run(std::uint64_t) override {
    for (const std::uint64_t first : this->firsts_) this->space_.map(first + kSize);
  }
  void restore(std::uint64_t) override {
    for (const std::uint64_t first : this->firsts_) this->space_.unmap(first + kSize, kSize);
  }
};

template <class Space>
class Unmap final : public SpaceWork<Space> {
 public:
  Unmap(Space& space, std::uint64_t mappings)
      : SpaceWork<Space>(space, mappings, changes(mappings)) {}
  void run(std::uint64_t) override {
    for (const std::uint64_t first : this->firsts_) this->space_.unmap(first, kSize);
  }
  void restore(std::uint64_t) override {
    for (const std::uint64_t first : this->firsts_) this->space_.map(first);
  }
};

template <class Space>
class Find final : public SpaceWork<Space> {
 public:
  Find(Space& space, std::uint64_t mappings)
      : SpaceWork<Space>(space, mappings, lookups(mappings)) {}
  void run(std::uint64_t) override {
    std::uint64_t sum = 0;
    for (const std::uint64_t first : this->firsts_) sum += this->space_.find(first + kSize / 2);
    benchmark::DoNotOptimize(sum);
  }
};

// Each lookup needs the answer of the one before.
template <class Space>
class FindInTurn final : public SpaceWork<Space> {
 public:
  FindInTurn(Space& space, std::uint64_t mappings)
      : SpaceWork<Space>(space, mappings, lookups(mappings)) {}
  void run(std::uint64_t) override {
    std::uint64_t carry = 0;
    for (const std::uint64_t first : this->firsts_)
      carry = this->space_.find(first + kSize / 2 + carry) & 1;  // always 0, which nobody knows
    benchmark::DoNotOptimize(carry);
  }
};

// Takes 16 KiB out of the middle.
template <class Space>
class Split final : public SpaceWork<Space> {
 public:
  Split(Space& space, std::uint64_t mappings)
      : SpaceWork<Space>(space, mappings, changes(mappings)) {}
  void run(std::uint64_t) override {
    for (const std::uint64_t first : this->firsts_)
      this->space_.unmap(first + 24 * kKiB, 16 * kKiB);
  }
  void restore(std::uint64_t) override {
    for (const std::uint64_t first : this->firsts_) this->space_.map(first);
  }
};

template <template <class> class Kind>
void va_space(benchmark::State& state) {
  Spaces& both = spaces(static_cast<std::uint64_t>(state.range(0)));
  Kind<Ours> ours(both.ours, both.mappings);
  std::unique_ptr<Kind<Theirs>> theirs;
  if (both.theirs) theirs = std::make_unique<Kind<Theirs>>(*both.theirs, both.mappings);
  compare(state, ours.operations(), {ours, theirs.get()});
}

// All kinds at one size before the next.
const int registered = [] {
  for (const std::int64_t mappings : {1'000, 10'000, 100'000, 1'000'000}) {
    const auto add = [&](const char* what, void (*body)(benchmark::State&)) {
      const std::string name = "VA tree, " + std::to_string(mappings) + " mappings: " + what;
      benchmark::RegisterBenchmark(name.c_str(), body)->Arg(mappings)->Apply(in_one_iteration);
    };
    add("map 64 KiB", va_space<Map>);
    add("find", va_space<Find>);
    add("find, each after the answer of the last", va_space<FindInTurn>);
    add("split in the middle", va_space<Split>);
    add("unmap 64 KiB", va_space<Unmap>);
  }
  return 0;
}();

}  // namespace
}  // namespace pantry::bench
