// SPDX-License-Identifier: MIT
//
// page_table_scaling [SECONDS]: what editing one page table costs with one and with two writers,
// and with readers beside them. Each writer maps and unmaps 64 KiB over and over, in a place of its
// own: in another GiB than the other one, in another 2 MiB of the same GiB, in the same 2 MiB; and
// there with tables that stay or that come and go with each mapping. The first line is a table for
// one writer, without epochs.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_shared_table.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/iopgtable/epoch_allocator.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kSize = 64 * kKiB;
constexpr TableConfig kConfig{48, 40, kPageSize | 2 * kMiB};

// Where the second writer is, from the first.
struct Place {
  const char* name;
  std::uint64_t apart;
  bool tables_stay;
};
constexpr std::array<Place, 4> kPlaces{{{"another GiB, tables stay", 8 * kGiB, true},
                                        {"another 2 MiB, tables stay", 16 * kMiB, true},
                                        {"the same 2 MiB, tables stay", 8 * kSize, true},
                                        {"another 2 MiB, tables come and go", 16 * kMiB, false}}};

template <class Table>
struct Machine {
  TestDram memory{16 * kMiB};
  ArenaTableAllocator arena{memory.dram()};
  TableMetadata metadata{memory.dram()};
  Epochs epochs;
  Table table = *Table::create(kConfig, metadata, arena);
  ~Machine() { table.destroy(arena); }
};

// False: no page.
template <class Table>
bool map(Table& table, std::uint64_t va, std::uint64_t size, PageTableAllocator& pages) {
  const std::array<PhysExtent, 1> extents{{{{va}, size}}};
  const MapProgress progress =
      table.map(GpuRange::of_size({va}, size), ExtentCursor(extents, 0), Prot::kNone, pages);
  PANTRY_CHECK(!progress.error || (*progress.error == Errno::kNoMem && progress.mapped == 0));
  return !progress.error;
}

// Pairs of a map and an unmap per second, of all writers together.
double pairs_per_second(const Place& place, int writers, int readers, double seconds) {
  Machine<ArmLpaeS1SharedTable> machine;
  if (place.tables_stay)
    for (const std::uint64_t va : {std::uint64_t{0}, place.apart})
      PANTRY_CHECK(map(machine.table, va + 31 * kSize, kPageSize, machine.arena));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> pairs{0};
  std::vector<std::thread> threads;
  for (int me = 0; me < writers; ++me) {
    threads.emplace_back([&, me] {
      EpochAllocator pages(machine.arena, machine.metadata, machine.epochs);
      const std::uint64_t va = kSize + place.apart * static_cast<std::uint64_t>(me);
      std::uint64_t mine = 0;
      while (!stop.load(std::memory_order_relaxed)) {
        bool mapped;
        {
          const EpochSection section(machine.epochs);
          mapped = map(machine.table, va, kSize, pages);
        }
        if (mapped) {
          const EpochSection section(machine.epochs);
          PANTRY_CHECK(machine.table.unmap(GpuRange::of_size({va}, kSize), pages) == kSize);
          ++mine;
        } else {
          std::this_thread::yield();  // all pages wait for a section whose thread is not running
        }
        if (pages.waiting() != 0 && pages.after_flush() != 0) machine.arena.after_flush();
      }
      while (pages.waiting() != 0) pages.after_flush();
      pairs += mine;
    });
  }
  for (int me = 0; me < readers; ++me) {
    threads.emplace_back([&, me] {
      std::uint64_t va = static_cast<std::uint64_t>(me);
      while (!stop.load(std::memory_order_relaxed)) {
        va = (va * 5 + kPageSize) % (2 * kMiB);
        const EpochSection section(machine.epochs);
        const auto frame = machine.table.iova_to_phys({va});
        PANTRY_CHECK(!frame || frame->value % kPageSize == va % kPageSize);
      }
    });
  }
  const auto start = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(pairs) / took.count();
}

double pairs_per_second_of_one_writer(double seconds) {
  Machine<ArmLpaeS1Table> machine;
  PANTRY_CHECK(map(machine.table, 31 * kSize, kPageSize, machine.arena));
  const auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> took{};
  std::uint64_t pairs = 0;
  while (took.count() < seconds) {
    for (int i = 0; i < 1000; ++i, ++pairs) {
      PANTRY_CHECK(map(machine.table, kSize, kSize, machine.arena));
      PANTRY_CHECK(machine.table.unmap(GpuRange::of_size({kSize}, kSize), machine.arena) == kSize);
    }
    took = std::chrono::steady_clock::now() - start;
  }
  return static_cast<double>(pairs) / took.count();
}

}  // namespace
}  // namespace pantry::driver

int main(int argc, char** argv) {
  using namespace pantry::driver;
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
  std::printf("64 KiB mapped and unmapped, million pairs per second, %u processors\n",
              std::thread::hardware_concurrency());
  std::printf("%-36s %8.2f\n", "a table for one writer",
              1e-6 * pairs_per_second_of_one_writer(seconds));
  std::printf("%-36s %8s %8s %8s %8s\n", "a table for many; second writer in", "1", "2", "1 + 4r",
              "2 + 4r");
  for (const Place& place : kPlaces) {
    std::printf("%-36s", place.name);
    for (const int readers : {0, 4})
      for (const int writers : {1, 2})
        std::printf(" %8.2f", 1e-6 * pairs_per_second(place, writers, readers, seconds));
    std::printf("\n");
  }
}
