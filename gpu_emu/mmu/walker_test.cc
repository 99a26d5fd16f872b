// SPDX-License-Identifier: MIT
//
// The walker against a reference that works the other way round: it enumerates every leaf and every
// dead end below a root, with bit numbers of its own, and looks the address up in the list.
#include "gpu_emu/mmu/walker.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {
namespace {

using datasheet::Exception;
using Mode = TranslationConfig::Mode;

constexpr std::uint64_t kMemattrLastFaults = 0xdf9f'9f9f'9c4c'9f4c;  // byte 7 is of class 3

struct Outcome {
  unsigned code = 0;  // of the fault; 0 is a leaf
  std::uint64_t base = 0;
  unsigned level = 0;
  unsigned allows = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome outcome_of(const std::expected<Leaf, WalkFailure>& result) {
  if (!result) return {static_cast<unsigned>(result.error().code), 0, 0, 0};
  return {0, result->base.value, result->level, result->allows};
}

// Everything below one table, by first address of the piece that an entry covers.
class Reference {
 public:
  Reference(const SparseMemory& memory, const TranslationConfig& config)
      : memory_(memory), config_(config) {
    const unsigned start = config.va_bits > 39   ? 0
                           : config.va_bits > 30 ? 1
                           : config.va_bits > 21 ? 2
                                                 : 3;
    const std::uint64_t entries = std::uint64_t{1} << (config.va_bits - shift(start));
    if (config.root.value >= std::uint64_t{1} << config.pa_bits) {
      pieces_[0] = {0xe4};
    } else {
      visit(config.root.value, start, std::min<std::uint64_t>(entries, 512), 0, 0xf);
    }
  }
  Outcome at(std::uint64_t va) const {
    if (config_.va_bits < 64 && va >= std::uint64_t{1} << config_.va_bits) return {0xe0};
    return std::prev(pieces_.upper_bound(va))->second;
  }

 private:
  static unsigned shift(unsigned level) {
    return level == 0 ? 39 : level == 1 ? 30 : level == 2 ? 21 : 12;
  }
  static bool bit(std::uint64_t word, unsigned n) { return (word & std::uint64_t{1} << n) != 0; }

  void visit(std::uint64_t table, unsigned level, std::uint64_t entries, std::uint64_t first,
             unsigned allows) {
    for (std::uint64_t n = 0; n < entries; ++n) {
      const std::uint64_t va = first + (n << shift(level));
      const std::uint64_t place = table + 8 * n;
      if (place < SparseMemory::kBase || place >= SparseMemory::kBase + SparseMemory::kBytes) {
        pieces_[va] = {0xc0 + level};
        continue;
      }
      const std::uint64_t word = memory_.word(place);
      if (config_.mode == Mode::kLegacy) {
        legacy(word, level, va);
      } else {
        arm(word, level, va, allows);
      }
    }
  }

  void arm(std::uint64_t word, unsigned level, std::uint64_t va, unsigned allows) {
    const unsigned type = word & 3;
    const bool leaf = level == 3 ? type == 3 : type == 1 && level != 0;
    const bool table = level != 3 && type == 3;
    const bool honoured = config_.hierarchy == TranslationConfig::Hierarchy::kHonoured;
    if (!leaf && !table) {
      pieces_[va] = {0xc0 + level};
      return;
    }
    std::uint64_t address = 0;
    for (unsigned n = leaf ? shift(level) : 12; n < 48; ++n)
      address |= word & std::uint64_t{1} << n;
    if (address >= std::uint64_t{1} << config_.pa_bits) {
      pieces_[va] = {0xe4 + level};
      return;
    }
    if (table) {
      if (honoured && bit(word, 61)) allows = 0;
      if (honoured && bit(word, 62)) allows &= 0b0110;
      if (honoured && (bit(word, 59) || bit(word, 60))) allows &= 0b1101;
      visit(address, level + 1, 512, va, allows);
      return;
    }
    if (!bit(word, 10) && config_.access_flag == TranslationConfig::AccessFlag::kFaults) {
      pieces_[va] = {0xd8 + level};
      return;
    }
    if ((word >> 2 & 7) == 7) {
      pieces_[va] = {0xe8 + level};
      return;
    }
    // Bits 0 atomic, 1 execute, 2 read, 3 write.
    unsigned own = bit(word, 6) ? 0b1111 : 0;
    if (bit(word, 7)) own &= 0b0110;
    if (bit(word, 53) || bit(word, 54)) own &= 0b1101;
    if (config_.writable == TranslationConfig::Writable::kNeverExecutes && (own & 0b1000))
      own &= 0b1101;
    pieces_[va] = {0, address, level, own & allows};
  }

  void legacy(std::uint64_t word, unsigned level, std::uint64_t va) {
    const unsigned type = word & 3;
    if (type == 0 || type == 2 || (type == 3 && level == 3)) {
      pieces_[va] = {0xc0 + level};
      return;
    }
    std::uint64_t address = 0;
    for (unsigned n = type == 1 ? shift(level) : 12; n < 40; ++n)
      address |= word & std::uint64_t{1} << n;
    if (type == 3) return visit(address, level + 1, 512, va, 0xf);
    if ((word >> 2 & 7) == 7) {
      pieces_[va] = {0xe8 + level};
      return;
    }
    unsigned own = 0;
    if (bit(word, 6)) own |= 0b0110;
    if (bit(word, 7)) own |= bit(word, 6) ? 0b1001 : 0b1000;
    if (bit(word, 53) || bit(word, 54)) own &= 0b1101;
    pieces_[va] = {0, address, level, own};
  }

  const SparseMemory& memory_;
  const TranslationConfig& config_;
  std::map<std::uint64_t, Outcome> pieces_;
};

constexpr unsigned kTables = 6;
constexpr std::uint64_t kFirstTable = SparseMemory::kBase + 0x1000;
constexpr std::uint64_t kSomeIndexes[] = {0, 1, 5, 255, 511};

std::uint64_t random_entry(std::mt19937_64& random) {
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  if (one_in(8)) return random() & ~std::uint64_t{3};  // invalid, with noise
  if (one_in(12)) return random() & ~std::uint64_t{1};
  std::uint64_t word = random() & 0xff80'0000'0000'0fffu;
  word |= 1u << 6 | 1u << 10;
  if (one_in(8)) word &= ~(std::uint64_t{1} << 6);
  if (one_in(8)) word &= ~(std::uint64_t{1} << 10);
  if (one_in(4)) word |= std::uint64_t{1} << (53 + random() % 2);
  if (one_in(2)) {
    // A table: one of ours, any level may point to any, or one that is not there.
    const std::uint64_t next =
        one_in(12) ? random() & 0xffff'ffff'f000 : kFirstTable + (random() % kTables) * kPageSize;
    return (word & ~std::uint64_t{3}) | next | 3;
  }
  const std::uint64_t address =
      one_in(8) ? random() & 0xffff'ffff'f000 : random() & 0x00ff'ffff'f000;
  return (word & ~std::uint64_t{3}) | address | (one_in(2) ? 1 : 3);
}

struct World {
  SparseMemory memory;
  TranslationConfig config;
  std::vector<std::uint64_t> addresses;

  explicit World(std::uint64_t seed, Mode mode) {
    std::mt19937_64 random(seed);
    config.mode = mode;
    config.root = {kFirstTable};
    config.memattr = kMemattrLastFaults;
    config.va_bits =
        mode == Mode::kLegacy ? 48 : std::vector<unsigned>{48, 48, 39, 33, 31, 25}[random() % 6];
    config.pa_bits = mode == Mode::kLegacy || random() % 4 != 0 ? 40 : 36;
    if (random() % 4 == 0) config.access_flag = TranslationConfig::AccessFlag::kIgnored;
    if (random() % 4 == 0) config.hierarchy = TranslationConfig::Hierarchy::kHonoured;
    if (random() % 4 == 0) config.writable = TranslationConfig::Writable::kNeverExecutes;
    if (random() % 32 == 0) config.root = {random() & 0xffff'ffff'f000};
    for (unsigned table = 0; table < kTables; ++table) {
      for (const std::uint64_t index : kSomeIndexes) {
        if (random() % 4 != 0)
          memory.word(kFirstTable + table * kPageSize + 8 * index) = random_entry(random);
      }
    }
    for (int n = 0; n < 200; ++n) {
      std::uint64_t va = random() & 0xfff;
      for (const unsigned shift : {12, 21, 30, 39}) va |= kSomeIndexes[random() % 5] << shift;
      if (random() % 8 != 0) va &= (std::uint64_t{1} << config.va_bits) - 1;
      if (random() % 32 == 0) va = random();
      addresses.push_back(va);
    }
  }
};

void agrees_with_reference(std::uint64_t seed, Mode mode) {
  const World world(seed, mode);
  const Reference reference(world.memory, world.config);
  Quirks small;
  small.walk_cache_sets = 2;
  small.walk_cache_ways = 1;
  Walker keeping(world.memory.dram(), {});
  Walker forgetting(world.memory.dram(), small);
  for (const std::uint64_t va : world.addresses) {
    const Outcome expected = reference.at(va);
    RC_ASSERT(outcome_of(keeping.walk(world.config, {1}, {va})) == expected);
    RC_ASSERT(outcome_of(forgetting.walk(world.config, {1}, {va})) == expected);
  }
}

RC_GTEST_PROP(Walker, AgreesWithEnumerationOfAarch64Tables, (std::uint64_t seed)) {
  agrees_with_reference(seed, Mode::kAarch64);
}
RC_GTEST_PROP(Walker, AgreesWithEnumerationOfLegacyTables, (std::uint64_t seed)) {
  agrees_with_reference(seed, Mode::kLegacy);
}

// The random worlds are worth nothing unless they reach everything.
TEST(Walker, RandomWorldsMeetEveryOutcome) {
  std::set<unsigned> codes;
  std::set<unsigned> levels;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const World world(seed, Mode::kAarch64);
    Walker walker(world.memory.dram(), {});
    for (const std::uint64_t va : world.addresses) {
      const Outcome outcome = outcome_of(walker.walk(world.config, {0}, {va}));
      codes.insert(outcome.code);
      if (outcome.code == 0) levels.insert(outcome.level);
    }
  }
  const std::set<unsigned> all = {0,    0xc0, 0xc1, 0xc2, 0xc3, 0xd9, 0xda, 0xdb,
                                  0xe0, 0xe4, 0xe5, 0xe6, 0xe7, 0xe9, 0xea, 0xeb};
  EXPECT_EQ(codes, all);
  EXPECT_EQ(levels, (std::set<unsigned>{1, 2, 3}));
}

TEST(Walker, GoldenPage) {
  SparseMemory memory;
  const std::uint64_t table = kFirstTable;
  memory.word(table + 8 * 1) = (table + 0x1000) | 3;
  memory.word(table + 0x1000 + 8 * 2) = (table + 0x2000) | 3 | std::uint64_t{1} << 55;
  memory.word(table + 0x2000 + 8 * 3) = (table + 0x3000) | 3;
  memory.word(table + 0x3000 + 8 * 4) = 0x12'3456'7000 | 0xf47;
  TranslationConfig config;
  config.mode = Mode::kAarch64;
  config.root = {table};
  config.memattr = kMemattr;
  Walker walker(memory.dram(), {});
  const std::uint64_t va =
      std::uint64_t{1} << 39 | std::uint64_t{2} << 30 | 3 << 21 | 4 << 12 | 0xabc;
  const auto leaf = walker.walk(config, {0}, {va});
  ASSERT_TRUE(leaf.has_value());
  EXPECT_EQ(leaf->base.value, 0x12'3456'7000u);
  EXPECT_EQ(leaf->level, 3u);
  EXPECT_EQ(leaf->allows, 0xf);
  EXPECT_EQ(leaf->entry.value, table + 0x3000 + 32);
  EXPECT_EQ(walker.fetches(), 4u);
  // The walk cache saves all but the last fetch, and one address space's tables are not another's.
  ASSERT_TRUE(walker.walk(config, {0}, {va}).has_value());
  EXPECT_EQ(walker.fetches(), 5u);
  ASSERT_TRUE(walker.walk(config, {1}, {va}).has_value());
  EXPECT_EQ(walker.fetches(), 9u);
  walker.drop({0}, {{va}, {va}});
  ASSERT_TRUE(walker.walk(config, {0}, {va}).has_value());
  EXPECT_EQ(walker.fetches(), 13u);
}

TEST(Walker, ATableOutsideOfMemoryIsABusFaultByEitherName) {
  SparseMemory memory;
  memory.word(kFirstTable) = 0x1000 | 3;  // below DRAM
  TranslationConfig config;
  config.mode = Mode::kAarch64;
  config.root = {kFirstTable};
  config.memattr = kMemattr;
  Walker walker(memory.dram(), {});
  const auto result = walker.walk(config, {0}, {0x5000});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Exception::kTranslationFault1);
  EXPECT_EQ(result.error().cause, WalkFailure::Cause::kBus);
  EXPECT_EQ(result.error().entry.value, 0x1000u);

  Quirks bus;
  bus.table_fetch_abort = Quirks::TableFetchAbort::kBusFault;
  Walker other(memory.dram(), bus);
  EXPECT_EQ(other.walk(config, {0}, {0x5000}).error().code, Exception::kGpuBusFault);
}

}  // namespace
}  // namespace pantry::emu
