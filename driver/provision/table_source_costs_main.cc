// SPDX-License-Identifier: MIT
//
// table_source_costs [SECONDS]: what each source of table pages costs a page table, and how often
// that source reaches the one behind it. One page is mapped and unmapped in a place of its own, so
// that three tables come and go each time, and what was freed is flushed; pairs of map and unmap
// in nanoseconds, medians of passes in which the sources take turns. Prints JSON.
//
//   frame allocator   the core asks the memory allocator for each page, and zeroes it
//   core cache        the core keeps the pages that it freed (core_page_cache.h)
//   page pool         the hook, with a driver behind it that reserves (table_reserve.h)
//   hypervisor        the core cache's source shares pages with a hypervisor in batches; model
//   calls epochs            freed pages wait, besides, for readers without locks
//   (epoch_allocator.h)
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/core_page_cache.h"
#include "driver/iopgtable/epoch_allocator.h"
#include "driver/iopgtable/hypervisor_shared_allocator.h"
#include "driver/iopgtable/model_hypervisor.h"
#include "driver/memory/frame_allocator.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/table_reserve.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kBytes = 16 * kMiB;
constexpr TableConfig kConfig{48, 40, kPageSize | 2 * kMiB};
constexpr GpuRange kPage{{kGiB}, {kGiB + kPageSize - 1}};
constexpr std::uint32_t kTables = 3;   // below the root, that each map makes
constexpr std::uint32_t kPairs = 200;  // of a pass

// A page at a time from the frame allocator, as a core without a cache does it. Counts.
class FrameSource final : public PageTableAllocator {
 public:
  explicit FrameSource(const emu::Dram& dram) : dram_(dram), frames_({dram.base, dram.size}, {}) {}
  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override {
    if (bytes != kPageSize) return Error(Errno::kInval);
    ++calls_;
    const Result<PhysAddr> page = frames_.alloc({0}, {0});
    if (page) std::memset(dram_.at(*page, kPageSize), 0, kPageSize);
    return page;
  }
  void free(PhysAddr page, std::uint64_t) noexcept override { retired_.push_back(page); }
  void after_flush() {
    for (const PhysAddr page : retired_) frames_.free({page, kPageSize});
    retired_.clear();
  }
  std::uint64_t calls() const { return calls_; }

 private:
  emu::Dram dram_;
  FrameAllocator frames_;
  std::vector<PhysAddr> retired_;
  std::uint64_t calls_ = 0;
};

// A table with its source of pages.
class Source {
 public:
  virtual ~Source() = default;
  virtual void pair() = 0;
  // Of what is behind the source, so far.
  virtual std::uint64_t calls() const = 0;

 protected:
  void map(PageTableAllocator& pages) {
    const std::array<PhysExtent, 1> extents{{{TestDram::kBase, kPageSize}}};
    PANTRY_CHECK(!table_->map(kPage, ExtentCursor(extents, 0), Prot::kNone, pages).error);
  }
  void unmap(PageTableAllocator& pages) {
    PANTRY_CHECK(table_->unmap(kPage, pages).value() == kPageSize);
  }
  void make_table(TableMetadata& metadata, PageTableAllocator& pages) {
    table_.emplace(ArmLpaeS1Table::create(kConfig, metadata, pages).value());
  }
  TestDram memory_{kBytes};
  std::optional<ArmLpaeS1Table> table_;
};

// One of them in front of the frame allocator; `Front` has after_flush.
template <class Front>
class Behind final : public Source {
 public:
  explicit Behind(const std::function<std::unique_ptr<Front>(FrameSource&, TableMetadata&)>& make)
      : front_(make(frames_, metadata_)) {
    make_table(metadata_, *front_);
  }
  ~Behind() override {
    table_->destroy(*front_);
    // What waits for readers comes back at the second.
    for (int i = 0; i < 3; ++i) flush();
  }
  void pair() override {
    map(*front_);
    unmap(*front_);
    flush();
  }
  std::uint64_t calls() const override { return frames_.calls(); }

 private:
  void flush() {
    front_->after_flush();
    frames_.after_flush();
  }
  TableMetadata metadata_{memory_.dram()};
  FrameSource frames_{memory_.dram()};
  std::unique_ptr<Front> front_;
};

class Plain final : public Source {
 public:
  Plain() { make_table(metadata_, frames_); }
  ~Plain() override { table_->destroy(frames_); }
  void pair() override {
    map(frames_);
    unmap(frames_);
    frames_.after_flush();
  }
  std::uint64_t calls() const override { return frames_.calls(); }

 private:
  TableMetadata metadata_{memory_.dram()};
  FrameSource frames_{memory_.dram()};
};

class Pool final : public Source {
 public:
  Pool() {
    TableReserve root(pool_);
    PANTRY_CHECK(root.grow(1).has_value());
    make_table(pool_.metadata(), root);
  }
  ~Pool() override {
    TableReserve last(pool_);
    table_->destroy(last);
    last.release_after_flush();
  }
  void pair() override {
    TableReserve made(pool_);
    PANTRY_CHECK(made.grow(kTables).has_value());
    map(made);
    made.release_after_flush();
    TableReserve emptied(pool_);
    unmap(emptied);
    emptied.release_after_flush();
  }
  std::uint64_t calls() const override { return pool_.statistics().fresh; }

 private:
  FrameAllocator frames_{{memory_.dram().base, memory_.dram().size}, {}};
  PagePool pool_{frames_, memory_.dram()};
};

// Counts what the hypervisor is asked.
class Shared final : public Source {
 public:
  Shared() { make_table(metadata_, pages_); }
  ~Shared() override {
    table_->destroy(pages_);
    flush();
  }
  void pair() override {
    map(pages_);
    unmap(pages_);
    flush();
  }
  std::uint64_t calls() const override {
    return hypervisor_.share_calls() + hypervisor_.unshare_calls();
  }

 private:
  void flush() {
    pages_.after_flush();
    frames_.after_flush();
  }
  TableMetadata metadata_{memory_.dram()};
  FrameSource frames_{memory_.dram()};
  ModelHypervisor hypervisor_;
  HypervisorSharedAllocator pages_{frames_, hypervisor_, metadata_};
};

double nanoseconds_of_a_pair(Source& source) {
  const auto start = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < kPairs; ++i) source.pair();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return took.count() / kPairs;
}

struct Measured {
  const char* name;
  const char* calls_are;
  std::unique_ptr<Source> source;
  std::vector<double> passes;
};

}  // namespace
}  // namespace pantry::driver

int main(int argc, char** argv) {
  using namespace pantry::driver;
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1;
  Epochs epochs;
  std::vector<Measured> all;
  all.push_back({"frame allocator", "of the frame allocator", std::make_unique<Plain>(), {}});
  all.push_back({"core cache",
                 "of the frame allocator",
                 std::make_unique<Behind<CorePageCache>>([](auto& frames, auto& metadata) {
                   return std::make_unique<CorePageCache>(frames, metadata, 32);
                 }),
                 {}});
  all.push_back({"page pool", "of the frame allocator", std::make_unique<Pool>(), {}});
  all.push_back({"hypervisor", "of the hypervisor", std::make_unique<Shared>(), {}});
  all.push_back({"epochs",
                 "of the frame allocator",
                 std::make_unique<Behind<EpochAllocator>>([&](auto& frames, auto& metadata) {
                   return std::make_unique<EpochAllocator>(frames, metadata, epochs);
                 }),
                 {}});
  for (Measured& one : all) nanoseconds_of_a_pair(*one.source);
  std::vector<std::uint64_t> before;
  for (const Measured& one : all) before.push_back(one.source->calls());
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < std::chrono::duration<double>(seconds))
    for (Measured& one : all) one.passes.push_back(nanoseconds_of_a_pair(*one.source));
  std::printf("[");
  for (std::size_t i = 0; i < all.size(); ++i) {
    Measured& one = all[i];
    const double pairs = static_cast<double>(one.passes.size()) * kPairs;
    std::ranges::sort(one.passes);
    std::printf("%s{\"source\": \"%s\", \"ns\": %.1f, \"calls\": %.3f, \"calls_are\": \"%s\"}",
                i == 0 ? "" : ",\n ", one.name, one.passes[one.passes.size() / 2],
                static_cast<double>(one.source->calls() - before[i]) / pairs, one.calls_are);
  }
  std::printf("]\n");
}
