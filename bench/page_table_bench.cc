// SPDX-License-Identifier: MIT
//
// Page-table operations: RadixTable<ArmLpaeS1> beside io-pgtable-arm. Linux's side makes the calls
// that its users have to make, worked out beforehand: one per piece of consecutive frames, none
// across the end of a table, each with the largest leaf that fits. "Warm": one page of each 2 MiB
// is mapped all the time, so that no table comes or goes.
#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bench/comparison.h"
#include "bench/store_limit.h"
#include "bench/table_pair.h"

namespace pantry::bench {
namespace {

constexpr std::uint64_t kTableSpan = 2 * kMiB;
constexpr GpuVa kBase{16 * kGiB};
// Does not lie to kBase as a 2 MiB leaf would need.
constexpr PhysAddr kFrames{8 * kGiB + kPageSize};

// Consecutive virtual addresses and the frames that are mapped there.
struct Piece {
  GpuVa va;
  std::vector<PhysExtent> frames;
  std::uint64_t size;
};
using Pieces = std::vector<Piece>;

Piece contiguous(GpuVa va, std::uint64_t size) {
  return {va, {{kFrames + (va - kBase), size}}, size};
}
// In extents of 1 to `most_pages` pages, in no order.
Piece scattered(GpuVa va, std::uint64_t size, std::uint64_t most_pages, std::mt19937_64& random) {
  Piece piece{va, {}, size};
  for (std::uint64_t left = size; left != 0; left -= piece.frames.back().size) {
    const std::uint64_t wish = (random() % most_pages + 1) * kPageSize;
    const PhysAddr at{(random() % 4096 * 32 + 1) * kPageSize + 4 * kGiB};
    piece.frames.push_back({at, std::min(wish, left)});
  }
  return piece;
}
// The first page of each of `tables` tables, and the rest of each.
Pieces first_pages(std::uint64_t tables) {
  Pieces pieces;
  for (std::uint64_t i = 0; i < tables; ++i)
    pieces.push_back(contiguous(kBase + i * kTableSpan, kPageSize));
  return pieces;
}
Pieces rests(std::uint64_t tables) {
  Pieces pieces;
  for (std::uint64_t i = 0; i < tables; ++i)
    pieces.push_back(contiguous(kBase + i * kTableSpan + kPageSize, kTableSpan - kPageSize));
  return pieces;
}

class Ours {
 public:
  Ours(TablePair& tables, const Pieces& pieces) : tables_(tables), pieces_(pieces) {}

  driver::TableReserve& reserve() { return tables_.our_pages(); }
  std::size_t count() const { return pieces_.size(); }
  // A piece in one call, however many extents it has.
  void map(std::size_t i) {
    const Piece& piece = pieces_[i];
    const driver::MapProgress progress =
        tables_.ours().map(GpuRange::of_size(piece.va, piece.size), ExtentCursor(piece.frames, 0),
                           Prot::kNone, reserve());
    PANTRY_CHECK(!progress.error);
  }
  void unmap(std::size_t i) {
    const Piece& piece = pieces_[i];
    const Result<std::uint64_t> done =
        tables_.ours().unmap(GpuRange::of_size(piece.va, piece.size), reserve());
    PANTRY_CHECK(done && *done == piece.size);
  }
  std::uint64_t translate(GpuVa va) const {
    const auto leaf = tables_.ours().walk(va);
    return leaf ? leaf->frame.value + (va - leaf->range.first) : 0;
  }

 private:
  TablePair& tables_;
  const Pieces& pieces_;
};

class Theirs {
 public:
  Theirs(TablePair& tables, const Pieces& pieces) : tables_(tables) {
    for (const Piece& piece : pieces) {
      Calls calls;
      GpuVa va = piece.va;
      for (const PhysExtent& extent : piece.frames) {
        for (const LeafRun& run : TablePair::leaf_runs(va, extent.start, extent.size))
          calls.maps.push_back(run);
        va = va + extent.size;
      }
      calls.unmaps = TablePair::leaf_runs(piece.va, {piece.va.value}, piece.size);
      calls_.push_back(std::move(calls));
    }
  }

  driver::TableReserve& reserve() { return tables_.their_pages(); }
  std::size_t count() const { return calls_.size(); }
  void map(std::size_t i) {
    linux_page_table& table = tables_.theirs();
    for (const LeafRun& run : calls_[i].maps) {
      std::size_t mapped = 0;
      const int error = table.map_pages(table.ops, run.va, run.frame, run.leaf, run.count,
                                        kReadWriteCached, 0, &mapped);
      PANTRY_CHECK(error == 0 && mapped == run.leaf * run.count);
    }
  }
  void unmap(std::size_t i) {
    linux_page_table& table = tables_.theirs();
    for (const LeafRun& run : calls_[i].unmaps) {
      const std::size_t done = table.unmap_pages(table.ops, run.va, run.leaf, run.count, nullptr);
      PANTRY_CHECK(done == run.leaf * run.count);
    }
  }
  std::uint64_t translate(GpuVa va) const {
    return tables_.theirs().iova_to_phys(tables_.theirs().ops, va.value);
  }

 private:
  static constexpr int kReadWriteCached = LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_CACHED;
  struct Calls {
    std::vector<LeafRun> maps;
    std::vector<LeafRun> unmaps;
  };
  TablePair& tables_;
  std::vector<Calls> calls_;
};

// What all kinds of work on a table share. `pages`: table pages that mapping all pieces may take.
template <class Table>
class TableWork : public Work {
 public:
  TableWork(Table table, std::uint32_t pages) : table_(std::move(table)), pages_(pages) {}

 protected:
  void refill() { TablePair::refill(table_.reserve(), pages_); }
  void map_all() {
    for (std::size_t i = 0; i < table_.count(); ++i) table_.map(i);
  }
  void unmap_all() {
    for (std::size_t i = 0; i < table_.count(); ++i) table_.unmap(i);
  }
  Table table_;

 private:
  const std::uint32_t pages_;
};

template <class Table>
class Map final : public TableWork<Table> {
 public:
  using TableWork<Table>::TableWork;
  void prepare(std::uint64_t) override { this->refill(); }
  void run(std::uint64_t) override { this->map_all(); }
  void restore(std::uint64_t) override { this->unmap_all(); }
};

template <class Table>
class Unmap final : public TableWork<Table> {
 public:
  using TableWork<Table>::TableWork;
  void prepare(std::uint64_t) override {
    this->refill();
    this->map_all();
  }
  void run(std::uint64_t) override { this->unmap_all(); }
};

// Each piece is unmapped before the next is mapped.
template <class Table>
class MapUnmap final : public TableWork<Table> {
 public:
  using TableWork<Table>::TableWork;
  void prepare(std::uint64_t) override { this->refill(); }
  void run(std::uint64_t) override {
    for (std::size_t i = 0; i < this->table_.count(); ++i) {
      this->table_.map(i);
      this->table_.unmap(i);
    }
  }
};

// Random addresses of what is mapped, one after the other: each depends on the answer before.
template <class Table>
class Translate final : public TableWork<Table> {
 public:
  static constexpr std::uint64_t kLookups = 1024;
  Translate(Table table, std::uint32_t pages, GpuRange mapped)
      : TableWork<Table>(std::move(table), pages), mapped_(mapped) {
    this->refill();
    this->map_all();
  }
  ~Translate() { this->unmap_all(); }
  void prepare(std::uint64_t pass) override {
    std::mt19937_64 random(pass);
    for (GpuVa& va : addresses_) va = mapped_.first + random() % mapped_.size() / 8 * 8;
  }
  void run(std::uint64_t) override {
    std::uint64_t carry = 0;
    for (const GpuVa va : addresses_)
      carry = this->table_.translate(va + (carry & 7)) & 7;  // always 0, which nobody knows
    benchmark::DoNotOptimize(carry);
  }

 private:
  const GpuRange mapped_;
  std::array<GpuVa, kLookups> addresses_;
};

// Stores entries into as many table pages as the benchmark writes.
class Store final : public Work {
 public:
  using Function = void(std::uint64_t*, std::uint64_t, std::uint64_t, std::uint64_t);
  Store(Function& store, std::uint64_t tables)
      : store_(store), memory_(tables * kPageSize), tables_(tables) {}
  void run(std::uint64_t) override {
    auto* slots = reinterpret_cast<std::uint64_t*>(memory_.dram().host);
    for (std::uint64_t i = 0; i < tables_; ++i, slots += 512)
      store_(slots, 512, i * kTableSpan | 0xf47, kPageSize);
    benchmark::ClobberMemory();
  }

 private:
  Function& store_;
  driver::TestDram memory_;
  const std::uint64_t tables_;
};

TablePair& tables() {
  static TablePair pair(64 * kMiB);
  return pair;
}

// Maps pieces on both sides for as long as it lives.
class Kept {
 public:
  explicit Kept(Pieces pieces) : pieces_(std::move(pieces)), ours_(tables(), pieces_) {
    map(ours_);
    if (tables().has_theirs()) map(theirs_.emplace(tables(), pieces_));
  }
  ~Kept() {
    unmap(ours_);
    if (theirs_) unmap(*theirs_);
  }

 private:
  static void map(auto& table) {
    TablePair::refill(table.reserve(), static_cast<std::uint32_t>(3 * table.count()));
    for (std::size_t i = 0; i < table.count(); ++i) table.map(i);
  }
  static void unmap(auto& table) {
    TablePair::refill(table.reserve(), 0);
    for (std::size_t i = 0; i < table.count(); ++i) table.unmap(i);
    TablePair::refill(table.reserve(), 0);
  }
  const Pieces pieces_;
  Ours ours_;
  std::optional<Theirs> theirs_;
};

template <template <class> class Kind, class... Args>
void compare_tables(benchmark::State& state, const Pieces& pieces, std::uint64_t operations,
                    Work* limit, Args... args) {
  Kind<Ours> ours(Ours(tables(), pieces), args...);
  std::optional<Kind<Theirs>> theirs;
  if (tables().has_theirs()) theirs.emplace(Theirs(tables(), pieces), args...);
  compare(state, operations, {ours, theirs ? &*theirs : nullptr, limit});
  for (driver::TableReserve* reserve : {&tables().our_pages(), &tables().their_pages()})
    TablePair::refill(*reserve, 0);
}

// 255 pages of one table, in no order, each in a call of its own.
template <template <class> class Kind>
void one_page(benchmark::State& state) {
  const Kept kept(first_pages(1));
  std::vector<std::uint64_t> pages(511);
  std::iota(pages.begin(), pages.end(), 1);
  std::shuffle(pages.begin(), pages.end(), std::mt19937_64(1));
  Pieces pieces;
  for (std::size_t i = 0; i < 255; ++i)
    pieces.push_back(contiguous(kBase + pages[i] * kPageSize, kPageSize));
  compare_tables<Kind>(state, pieces, pieces.size(), nullptr, 0u);
}
BENCHMARK(one_page<Map>)->Name("one 4 KiB page, warm: map")->Apply(in_one_iteration);
BENCHMARK(one_page<Unmap>)->Name("one 4 KiB page, warm: unmap")->Apply(in_one_iteration);
BENCHMARK(one_page<MapUnmap>)->Name("one 4 KiB page, warm: map and unmap")->Apply(in_one_iteration);

// A call per table. 8 tables stay in the level-1 cache, 64 in the level-2 cache.
template <template <class> class Kind, std::uint64_t tables>
void warm_run(benchmark::State& state) {
  const Kept kept(first_pages(tables));
  Store limit(store_cached, tables);
  compare_tables<Kind>(state, rests(tables), tables, &limit, 0u);
}
BENCHMARK((warm_run<Map, 8>))
    ->Name("511 contiguous pages, one call, warm: map")
    ->Apply(in_one_iteration);
BENCHMARK((warm_run<Unmap, 8>))
    ->Name("511 contiguous pages, one call, warm: unmap")
    ->Apply(in_one_iteration);
BENCHMARK((warm_run<Map, 64>))
    ->Name("511 contiguous pages, one call, warm, 64 tables: map")
    ->Apply(in_one_iteration);
BENCHMARK((warm_run<Unmap, 64>))
    ->Name("511 contiguous pages, one call, warm, 64 tables: unmap")
    ->Apply(in_one_iteration);

// All 512 pages of a table, which is taken from the reserve and freed into it.
template <template <class> class Kind>
void whole_table(benchmark::State& state) {
  constexpr std::uint64_t kTables = 8;
  const Kept kept({contiguous(kBase + kTables * kTableSpan, kPageSize)});
  Pieces pieces;
  for (std::uint64_t i = 0; i < kTables; ++i)
    pieces.push_back(contiguous(kBase + i * kTableSpan, kTableSpan));
  compare_tables<Kind>(state, pieces, kTables, nullptr, std::uint32_t{kTables});
}
BENCHMARK(whole_table<Map>)
    ->Name("512 contiguous pages and their table: map")
    ->Apply(in_one_iteration);
BENCHMARK(whole_table<Unmap>)
    ->Name("512 contiguous pages and their table: unmap")
    ->Apply(in_one_iteration);

// Scatter lists: ours takes one in a call, io-pgtable an extent.
template <template <class> class Kind, std::uint64_t most_pages>
void scatter_list(benchmark::State& state) {
  constexpr std::uint64_t kTables = 8;
  const Kept kept(first_pages(kTables));
  std::mt19937_64 random(2);
  Pieces pieces;
  for (const Piece& rest : rests(kTables))
    pieces.push_back(scattered(rest.va, rest.size, most_pages, random));
  Store limit(store_cached, kTables);
  compare_tables<Kind>(state, pieces, kTables, &limit, 0u);
}
BENCHMARK((scatter_list<Map, 1>))->Name("511 scattered pages: map")->Apply(in_one_iteration);
BENCHMARK((scatter_list<Map, 16>))
    ->Name("511 pages in extents of 1 to 16: map")
    ->Apply(in_one_iteration);

// 64 KiB at each 128 KiB of two tables.
std::vector<GpuVa> places_of_64_kib() {
  std::vector<GpuVa> places;
  for (std::uint64_t at = 128 * kKiB; at < 2 * kTableSpan; at += 128 * kKiB)
    if (at % kTableSpan != 0) places.push_back(kBase + at);
  return places;
}
void contiguous_64_kib(benchmark::State& state) {
  const Kept kept(first_pages(2));
  Pieces pieces;
  for (const GpuVa va : places_of_64_kib()) pieces.push_back(contiguous(va, 64 * kKiB));
  compare_tables<MapUnmap>(state, pieces, pieces.size(), nullptr, 0u);
}
BENCHMARK(contiguous_64_kib)
    ->Name("64 KiB contiguous, warm: map and unmap")
    ->Apply(in_one_iteration);
void scattered_64_kib(benchmark::State& state) {
  const Kept kept(first_pages(2));
  std::mt19937_64 random(3);
  Pieces pieces;
  for (const GpuVa va : places_of_64_kib()) pieces.push_back(scattered(va, 64 * kKiB, 1, random));
  compare_tables<MapUnmap>(state, pieces, pieces.size(), nullptr, 0u);
}
BENCHMARK(scattered_64_kib)->Name("64 KiB scattered, warm: map and unmap")->Apply(in_one_iteration);

// With all their tables, from nothing. Two megabytes of entries are more than the level-2 cache
// holds and less than memory is needed for, so there are two limits.
constexpr std::uint32_t kTablesOfGib = 514;
void map_gib(benchmark::State& state, Store::Function* store) {
  const Pieces pieces{contiguous(kBase, kGiB)};
  Store limit(*store, kGiB / kTableSpan);
  compare_tables<Map>(state, pieces, 1, &limit, kTablesOfGib);
}
BENCHMARK_CAPTURE(map_gib, streaming, store_streaming)
    ->Name("1 GiB of 4 KiB pages and their tables: map (limit: streaming stores)")
    ->Apply(in_one_iteration);
BENCHMARK_CAPTURE(map_gib, cached, store_cached)
    ->Name("1 GiB of 4 KiB pages and their tables: map (limit: cached stores)")
    ->Apply(in_one_iteration);
void unmap_gib(benchmark::State& state) {
  compare_tables<Unmap>(state, {contiguous(kBase, kGiB)}, 1, nullptr, kTablesOfGib);
}
BENCHMARK(unmap_gib)->Name("1 GiB of 4 KiB pages and their tables: unmap")->Apply(in_one_iteration);
template <template <class> class Kind>
void gib_of_blocks(benchmark::State& state) {
  const Pieces pieces{{kBase, {{PhysAddr{8 * kGiB}, kGiB}}, kGiB}};
  compare_tables<Kind>(state, pieces, 1, nullptr, kTablesOfGib);
}
BENCHMARK(gib_of_blocks<Map>)->Name("1 GiB of 2 MiB blocks: map")->Apply(in_one_iteration);
BENCHMARK(gib_of_blocks<Unmap>)->Name("1 GiB of 2 MiB blocks: unmap")->Apply(in_one_iteration);

template <std::uint64_t bytes>
void translate(benchmark::State& state) {
  const Pieces pieces{contiguous(kBase, bytes)};
  compare_tables<Translate>(state, pieces, Translate<Ours>::kLookups, nullptr, kTablesOfGib,
                            GpuRange::of_size(kBase, bytes));
}
BENCHMARK(translate<2 * kMiB>)->Name("iova_to_phys, 2 MiB of pages")->Apply(in_one_iteration);
BENCHMARK(translate<kGiB>)->Name("iova_to_phys, 1 GiB of pages")->Apply(in_one_iteration);

}  // namespace
}  // namespace pantry::bench
