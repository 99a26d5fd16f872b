// SPDX-License-Identifier: MIT
//
// A whole synchronous bind, from the validated operation to the changed table with everything given
// back, in a VM that holds other mappings: Vm::bind_now beside the parts of Panthor's bind that
// Linux pays for.
//
// Both sides: nodes of the VA tree and the worst case of table pages laid in, the VA tree searched
// and changed, the page table changed, and what was not needed given back. The VM is in no
// address-space slot, so on neither side is there a region to lock or anything to flush, and nobody
// asks how long a bind takes (VmDevice::bind_times).
//
// Ours alone: the lock of the VM, the section that marks the code a fence may wait for, the
// hand-shake with the address-space slots, the reference that a mapping holds on its buffer (of a
// shared buffer: finding its SharedBuffer, under a lock), the statistics and the record of the
// bind. Theirs alone: an allocation from the heap for each node and for the array of pages, as
// Panthor makes; ours keeps the nodes and a few pages with the VM (va_node_pool.h,
// page_magazine.h). Theirs takes its pages from the pool that both share, under the lock of that;
// or, where a row says so, from a magazine like ours, which is as cheap as pages can be.
#include <array>
#include <memory>
#include <random>
#include <unordered_set>
#include <vector>

#include "base/check.h"
#include "bench/comparison.h"
#include "bench/vm_pair.h"

namespace pantry::bench {
namespace {

constexpr GpuVa kBase{kGiB};
constexpr std::uint64_t kSize = 64 * kKiB;
constexpr std::uint64_t kStride = 2 * kSize;
constexpr std::uint64_t kOperations = 64;

// A VM with 64 KiB mappings at every second 64 KiB.
struct Vms {
  Vms(std::uint64_t count, VmPair::Frames frames, VmPair::Sharing sharing)
      : mappings(count),
        pair(64 * kMiB + count * 1024),
        buffer(pair.new_buffer(kSize, frames, sharing)),
        extents(VmPair::extents_of(*buffer, 0, kSize)) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const GpuRange range = GpuRange::of_size(kBase + i * kStride, kSize);
      PANTRY_CHECK(pair.ours().bind_now(VmPair::map_op(range, buffer, 0)).has_value());
      if (pair.theirs()) map_theirs(range.first);
    }
  }
  void map_theirs(GpuVa va) {
    const int error = linux_vm_bind_map(pair.theirs(), va.value, extents.data(),
                                        static_cast<unsigned>(extents.size()));
    PANTRY_CHECK(error == 0);
  }
  const std::uint64_t mappings;
  VmPair pair;
  const Ref<driver::Buffer> buffer;
  const std::vector<linux_extent> extents;
};

// 64 KiB each in kOperations of the holes.
class BindWork : public Work {
 public:
  explicit BindWork(Vms& vms) : vms_(vms) {}

 protected:
  void choose(std::uint64_t pass) {
    std::mt19937_64 random(pass);
    std::unordered_set<std::uint64_t> seen;
    for (GpuRange& range : ranges_) {
      std::uint64_t slot;
      do slot = random() % vms_.mappings;
      while (!seen.insert(slot).second);
      range = GpuRange::of_size(kBase + slot * kStride + kSize, kSize);
    }
  }
  Vms& vms_;
  std::array<GpuRange, kOperations> ranges_;
};

class Ours : public BindWork {
 public:
  using BindWork::BindWork;

 protected:
  void prepare_maps() {
    for (std::size_t i = 0; i < kOperations; ++i)
      ops_[i] = VmPair::map_op(ranges_[i], vms_.buffer, 0);
  }
  void prepare_unmaps() {
    for (std::size_t i = 0; i < kOperations; ++i) ops_[i] = VmPair::unmap_op(ranges_[i]);
  }
  void bind() {
    for (driver::BindOp& op : ops_)
      PANTRY_CHECK(vms_.pair.ours().bind_now(std::move(op)).has_value());
  }

 private:
  std::array<driver::BindOp, kOperations> ops_;
};

class OursMap final : public Ours {
 public:
  using Ours::Ours;
  void prepare(std::uint64_t pass) override {
    choose(pass);
    prepare_maps();
  }
  void run(std::uint64_t) override { bind(); }
  void restore(std::uint64_t) override {
    prepare_unmaps();
    bind();
  }
};

class OursUnmap final : public Ours {
 public:
  using Ours::Ours;
  void prepare(std::uint64_t pass) override {
    choose(pass);
    prepare_maps();
    bind();
    prepare_unmaps();
  }
  void run(std::uint64_t) override { bind(); }
};

class Theirs : public BindWork {
 public:
  using BindWork::BindWork;

 protected:
  void map() {
    for (const GpuRange& range : ranges_) vms_.map_theirs(range.first);
  }
  void unmap() {
    for (const GpuRange& range : ranges_) {
      const int error = linux_vm_bind_unmap(vms_.pair.theirs(), range.first.value, kSize);
      PANTRY_CHECK(error == 0);
    }
  }
};

class TheirsMap final : public Theirs {
 public:
  using Theirs::Theirs;
  void prepare(std::uint64_t pass) override { choose(pass); }
  void run(std::uint64_t) override { map(); }
  void restore(std::uint64_t) override { unmap(); }
};

class TheirsUnmap final : public Theirs {
 public:
  using Theirs::Theirs;
  void prepare(std::uint64_t pass) override {
    choose(pass);
    map();
  }
  void run(std::uint64_t) override { unmap(); }
};

struct Scene {
  std::uint64_t mappings = 1'000;
  VmPair::Frames frames = VmPair::Frames::kContiguous;
  VmPair::Sharing sharing = VmPair::Sharing::kPrivate;
  VmPair::PagesOfTheirs pages = VmPair::PagesOfTheirs::kPool;
};

template <class Ours, class Theirs>
void bind(benchmark::State& state, const Scene& scene) {
  Vms vms(scene.mappings, scene.frames, scene.sharing);
  vms.pair.set_pages_of_theirs(scene.pages);
  Ours ours(vms);
  Theirs theirs(vms);
  compare(state, kOperations, {ours, vms.pair.theirs() ? &theirs : nullptr});
}
void bind_map(benchmark::State& state, const Scene& scene) {
  bind<OursMap, TheirsMap>(state, scene);
}
void bind_unmap(benchmark::State& state, const Scene& scene) {
  bind<OursUnmap, TheirsUnmap>(state, scene);
}

constexpr Scene kWarm;
constexpr Scene kScattered{.frames = VmPair::Frames::kScattered};
constexpr Scene kLarge{.mappings = 100'000};
constexpr Scene kShared{.sharing = VmPair::Sharing::kShared};
constexpr Scene kMagazines{.pages = VmPair::PagesOfTheirs::kMagazine};

BENCHMARK_CAPTURE(bind_map, contiguous, kWarm)
    ->Name("bind 64 KiB contiguous, warm VM of 1000 mappings: map")
    ->Apply(in_one_iteration);
BENCHMARK_CAPTURE(bind_unmap, contiguous, kWarm)
    ->Name("bind 64 KiB contiguous, warm VM of 1000 mappings: unmap")
    ->Apply(in_one_iteration);
BENCHMARK_CAPTURE(bind_map, scattered, kScattered)
    ->Name("bind 64 KiB scattered, warm VM of 1000 mappings: map")
    ->Apply(in_one_iteration);
BENCHMARK_CAPTURE(bind_map, contiguous_large, kLarge)
    ->Name("bind 64 KiB contiguous, warm VM of 100000 mappings: map")
    ->Apply(in_one_iteration);
BENCHMARK_CAPTURE(bind_map, shared, kShared)
    ->Name("bind 64 KiB of a shared buffer, warm VM of 1000 mappings: map")
    ->Apply(in_one_iteration);
BENCHMARK_CAPTURE(bind_map, magazines, kMagazines)
    ->Name("bind 64 KiB contiguous, Linux's pages from a magazine: map")
    ->Apply(in_one_iteration);
BENCHMARK_CAPTURE(bind_unmap, magazines, kMagazines)
    ->Name("bind 64 KiB contiguous, Linux's pages from a magazine: unmap")
    ->Apply(in_one_iteration);

}  // namespace
}  // namespace pantry::bench
