// SPDX-License-Identifier: MIT
//
// Every provisioner against random histories: binds are prepared and queued in any number, run in
// order or out of it, are overtaken by others, given up, refused for want of memory, and what they
// rely on is unmapped under them. Running a bind that finds no page aborts. After each step every
// page of the pool is accounted for; the page table is compared with one that the same binds, in
// the order in which they ran, produced with WorstCase and nothing pending.
//
// PANTRY_PROVISION_STEPS: steps per history (default 15000); PANTRY_PROVISION_SEED: where to start.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "driver/provision/provisioner_rig.h"
#include "driver/provision/worst_case.h"

namespace pantry::driver {
namespace {

constexpr std::uint64_t kBlock = 2 * kMiB;
constexpr TableConfig kPanthor{48, 40, kPageSize | kBlock};
constexpr TableConfig kWithGiB{48, 40, kPageSize | kBlock | kGiB};
constexpr TableConfig kThreeLevels{39, 40, kPageSize | kBlock | kGiB};
constexpr TableConfig kPagesOnly{48, 40, kPageSize};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

// Binds in a few places where tables of every level begin and end, small enough for binds to meet.
class Dice {
 public:
  Dice(std::uint64_t seed, const TableConfig& config) : random_(seed), config_(config) {
    const auto scattered = [&](std::uint64_t base, std::uint64_t piece, std::uint64_t count) {
      std::vector<PhysExtent> extents;
      for (std::uint64_t i = 0; i < count; ++i)
        extents.push_back({{base + (count - 1 - i) * 2 * piece}, piece});
      return extents;
    };
    buffers_ = {
        {{{64 * kGiB}, 4 * kGiB}},                 // blocks of each size
        {{{80 * kGiB + kPageSize}, 4 * kGiB}},     // contiguous, and no block fits
        scattered(96 * kGiB, kPageSize, 8 * 512),  // pages
        scattered(112 * kGiB, 64 * kKiB, 8 * 32),  // larger pieces
        scattered(128 * kGiB, kBlock, 8),          // blocks, none after the other
    };
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }

  Bind bind() {
    Bind bind;
    const std::uint64_t top = std::uint64_t{1} << config_.va_bits;
    const std::uint64_t anchors[] = {kGiB, kGiB + 4 * kBlock, std::uint64_t{1} << 38, top / 2,
                                     top - 4 * kBlock};
    const std::uint64_t anchor = anchors[below(std::size(anchors))];
    std::uint64_t first = anchor + below(8) * kBlock - 4 * kBlock;
    std::uint64_t size = 0;
    switch (below(8)) {
      case 0:  // pages
        first += below(512) * kPageSize;
        size = (1 + below(9)) * kPageSize;
        break;
      case 1:
      case 2:  // a tile
        first += below(32) * 64 * kKiB;
        size = 64 * kKiB;
        break;
      case 3:  // blocks
      case 4:
        size = (1 + below(3)) * kBlock;
        break;
      case 5:  // across tables, off by anything
        first += below(512) * kPageSize;
        size = (1 + below(1600)) * kPageSize;
        break;
      case 6:  // everything around here
        first = anchor - 4 * kBlock;
        size = 8 * kBlock;
        break;
      case 7:  // a GiB, or nearly
        if ((config_.page_sizes & kGiB) && below(2) == 0) {
          first = align_down(first, kGiB);
          size = kGiB;
        } else {
          first = align_down(first, kGiB) + below(2) * (kGiB - kBlock) + below(3) * kPageSize;
          size = (1 + below(3)) * kPageSize;
        }
        break;
    }
    first = std::min(first, top - kPageSize);
    size = std::min(size, top - first);
    bind.shape.kind = below(5) < 3 ? BindShape::Kind::kMap : BindShape::Kind::kUnmap;
    bind.shape.cuts = BindShape::Cuts::kRepeats;
    if (below(6) == 0) {
      bind.shape.kind = BindShape::Kind::kRepeat;
      // Much of what is read back are pages, or 512 GiB of blocks: not too often.
      bool pieces = below(2) == 0;
      if (below(4) == 0) {
        const std::uint64_t unit =
            config_.va_bits == 48 && below(8) == 0 ? 512 * kGiB : std::uint64_t{kGiB};
        pieces = unit == kGiB && (pieces || !(config_.page_sizes & kBlock)) && below(8) == 0;
        if (pieces || (config_.page_sizes & kBlock)) {
          first = align_down(first, unit) + below(2) * below(3) * kPageSize;
          size = std::min(unit + below(2) * below(3) * kPageSize, top - first);
        }
      }
      bind.shape.repeated = RepeatedFrames(pieces ? pieces_ : block_);
    }
    bind.prot = static_cast<Prot>(below(2));
    if (bind.shape.kind == BindShape::Kind::kMap) {
      const std::vector<PhysExtent>& buffer = buffers_[size > 8 * kBlock ? 0 : below(5)];
      // Often congruent to the address.
      std::uint64_t offset =
          below(4) != 0 ? first % (size >= kGiB ? kGiB : kBlock) : below(512) * kPageSize;
      if (&buffer != &buffers_[0] && &buffer != &buffers_[1])
        size = std::min(size, 8 * kBlock - offset);
      bind.shape.frames = ExtentCursor(buffer, offset);
    }
    bind.shape.range = GpuRange::of_size({first}, size);
    return bind;
  }
  // No block sticks out of it.
  GpuRange whole_blocks() {
    const GpuRange range = bind().shape.range;
    const std::uint64_t size = config_.page_sizes & kGiB ? kGiB : kBlock;
    return {{align_down(range.first.value, size)}, {align_down(range.last.value, size) + size - 1}};
  }

 private:
  std::mt19937_64 random_;
  const TableConfig config_;
  std::vector<std::vector<PhysExtent>> buffers_;
  const std::vector<PhysExtent> block_{{{32 * kGiB}, kBlock}};  // for a bind that repeats
  const std::vector<PhysExtent> pieces_{{{33 * kGiB + kMiB}, kMiB}, {{33 * kGiB}, kMiB}};
};

// What is mapped, whatever the leaves.
std::vector<Leaf> runs(const ArmLpaeS1Table& table) {
  std::vector<Leaf> runs;
  table.for_each_leaf(table.space(), [&](const Leaf& leaf) {
    if (!runs.empty() && runs.back().range.last + 1 == leaf.range.first &&
        runs.back().frame + runs.back().range.size() == leaf.frame && runs.back().prot == leaf.prot)
      runs.back().range.last = leaf.range.last;
    else
      runs.push_back(leaf);
  });
  return runs;
}
std::vector<Leaf> leaves(const ArmLpaeS1Table& table) {
  std::vector<Leaf> leaves;
  table.for_each_leaf(table.space(), [&](const Leaf& leaf) { leaves.push_back(leaf); });
  return leaves;
}

class History {
 public:
  History(Provisioning kind, const TableConfig& config, std::uint64_t seed)
      : kind_(kind),
        dice_(seed, config),
        bound_(seed % 2 == 0 ? kTight : Space::kNoBound),
        space_(kind, config, bound_, payer_),
        reference_(Provisioning::kWorstCase, config) {}

  void step() {
    const std::uint64_t die = dice_.below(100);
    if (die < 44) {
      prepare(As::kQueued);
    } else if (die < 66) {
      // In order; now and then not, since two clients' prepare and push may cross.
      if (!pending_.empty()) run(dice_.below(8) == 0 ? dice_.below(pending_.size()) : 0);
    } else if (die < 76) {
      run_at_once();
    } else if (die < 85) {
      const std::size_t before = pending_.size();
      prepare(As::kSync);
      if (pending_.size() > before) run(before);
    } else if (die < 94) {
      if (!pending_.empty()) give_up(dice_.below(pending_.size()));
    } else if (die < 97) {
      GpuRange range = dice_.whole_blocks();
      // Nor does a window that repeats, in either table.
      for (GpuRange before{}; before != range;) {
        before = range;
        range = reference_.table().footprint(space_.table().footprint(range));
      }
      space_.unmap_whole(range);
      reference_.unmap_whole(range);
    } else if (die < 98) {
      space_.unmap_whole(space_.table().space());
      reference_.unmap_whole(space_.table().space());
    } else if (die < 99) {
      // A burst of whatever is queued.
      while (!pending_.empty() && dice_.below(16) != 0) run(0);
    } else {
      drain();
    }
    check_pages();
  }
  // Everything pending goes, one way or the other.
  void drain() {
    while (!pending_.empty()) {
      if (dice_.below(3) == 0)
        give_up(dice_.below(pending_.size()));
      else
        run(0);
    }
  }
  void compare() {
    ASSERT_EQ(runs(space_.table()), runs(reference_.table()));
    // Only references on tables stand in the way of blocks.
    if (kind_ == Provisioning::kRangeReserve) {
      if (pending_.empty()) {
        ASSERT_EQ(space_.raw().read_all().empty_tables, 0u);
      }
      return;
    }
    ASSERT_EQ(leaves(space_.table()), leaves(reference_.table()));
    ASSERT_EQ(space_.table().tables_by_level(), reference_.table().tables_by_level());
  }
  void tear_down() {
    drain();
    compare();
    space_.unmap_whole(space_.table().space());
    check_pages();
    EXPECT_EQ(space_.table_pages(), 1u) << "the root";
    EXPECT_EQ(space_.pool().lent, 1u);
  }
  std::size_t pending() const { return pending_.size(); }
  std::uint64_t refused() const { return refused_; }

 private:
  static constexpr std::uint64_t kTight = 24;
  enum class As { kQueued, kSync };
  struct Pending {
    Bind bind;
    Provision provision;
  };

  void prepare(As as) {
    const Bind bind = dice_.bind();
    const bool starve = dice_.below(6) == 0;
    const std::uint64_t lent = space_.pool().lent;
    const std::uint32_t tables = space_.table_pages();
    if (starve) space_.faults().fail_nth(1 + dice_.below(5));
    const std::uint64_t charged = space_.quota().charged();
    Result<Provision> provision =
        as == As::kQueued ? space_.prepare_queued(bind) : space_.prepare(bind);
    const bool failed = space_.faults().fired();
    space_.faults().fail_nth(0);
    if (provision || as == As::kSync) {
      ASSERT_EQ(provision.has_value(), !failed);
    } else if (!failed) {
      ++refused_;
      ASSERT_NE(charged, 0u) << "alone, anything is admitted";
      ASSERT_GT(charged + worst_case(bind) + Provisioner::kLeastCharge, bound_);
    }
    if (provision) return pending_.push_back({bind, *std::move(provision)});
    ASSERT_EQ(provision.error(), Errno::kNoMem);
    ASSERT_EQ(space_.pool().lent, lent);
    ASSERT_EQ(space_.table_pages(), tables);
    ASSERT_EQ(space_.quota().charged(), charged);
  }
  void run_at_once() {
    const Bind bind = dice_.bind();
    if (dice_.below(6) == 0) space_.faults().fail_nth(1 + dice_.below(3));
    const std::uint64_t lent = space_.pool().lent;
    const std::uint32_t tables = space_.table_pages();
    const std::uint64_t reserved = space_.reserved;
    const std::uint64_t used = space_.used;
    const bool alone = pending_.empty();
    const Result<> ran = space_.run_at_once(bind);
    const bool failed = space_.faults().fired();
    space_.faults().fail_nth(0);
    ASSERT_EQ(ran.has_value(), !failed);
    if (ran) {
      if (kind_ == Provisioning::kExact && alone) {
        ASSERT_EQ(space_.reserved - reserved, space_.used - used);
      }
      return reference_.run_now(bind);
    }
    ASSERT_EQ(ran.error(), Errno::kNoMem);
    ASSERT_EQ(space_.pool().lent, lent);
    ASSERT_EQ(space_.table_pages(), tables);
  }
  std::uint64_t worst_case(const Bind& bind) const {
    return worst_case_pages(bind.shape, space_.table().config());
  }
  Pending take(std::size_t at) {
    Pending taken = std::move(pending_[at]);
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(at));
    return taken;
  }
  void run(std::size_t at) {
    Pending one = take(at);
    space_.run(std::move(one.provision), one.bind);
    reference_.run_now(one.bind);
  }
  void give_up(std::size_t at) {
    Pending one = take(at);
    space_.give_up(std::move(one.provision), one.bind);
  }
  void check_pages() {
    std::uint64_t held = space_.table_pages();
    std::uint64_t queued = 0;
    for (const Pending& one : pending_) {
      held += one.provision.tables().available();
      if (one.provision.tables().quota())
        queued +=
            Provisioner::kLeastCharge + repeated_pages(one.bind.shape, space_.table().config());
    }
    if (const Exact* exact = space_.exact()) {
      const Exact::Audit audit = exact->audit();
      ASSERT_EQ(audit.spare, audit.missing);
      ASSERT_EQ(space_.quota().charged(), audit.queued + queued);
      if (pending_.empty()) {
        ASSERT_EQ(audit.pinned, 0u);
      }
      held += audit.spare;
    }
    ASSERT_EQ(space_.pool().lent, held);
    ASSERT_EQ(payer_->held(Resource::kMemory), (held + space_.kept_for_next()) * kPageSize);
  }

  const Provisioning kind_;
  Dice dice_;
  const std::uint64_t bound_;  // of the pages that pending binds hold
  const Ref<Account> payer_ = make_ref<Account>(1, Limits());
  Space space_;
  Space reference_;
  std::deque<Pending> pending_;
  std::uint64_t refused_ = 0;  // for the quota
};

struct Case {
  const char* name;
  Provisioning kind;
  TableConfig config;
};
void PrintTo(const Case& which, std::ostream* out) { *out << which.name; }

class ProvisionerModel : public testing::TestWithParam<Case> {};

TEST_P(ProvisionerModel, NoBindRunsDryAndNothingIsLeft) {
  const std::uint64_t steps = from_environment("PANTRY_PROVISION_STEPS", 15'000);
  const std::uint64_t seed = from_environment("PANTRY_PROVISION_SEED", 1);
  constexpr std::uint64_t kPerWorld = 3'000;
  std::size_t most_pending = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t done = 0; done < steps; done += kPerWorld) {
    SCOPED_TRACE("PANTRY_PROVISION_SEED=" + std::to_string(seed + done / kPerWorld));
    auto history =
        std::make_unique<History>(GetParam().kind, GetParam().config, seed + done / kPerWorld);
    for (std::uint64_t i = 0; i < kPerWorld; ++i) {
      history->step();
      if (i % 64 == 0) history->compare();
      if (HasFatalFailure()) {
        // Leaked: to end binds whose books are wrong would hide the failure behind a failed check.
        static_cast<void>(history.release());
        return;
      }
      most_pending = std::max(most_pending, history->pending());
    }
    history->tear_down();
    refused += history->refused();
    if (HasFailure()) return;
  }
  EXPECT_GT(most_pending, 20u) << "too few for them to meet";
  EXPECT_GT(refused, 10u) << "too few for the quota to matter";
}

INSTANTIATE_TEST_SUITE_P(
    Each, ProvisionerModel,
    testing::Values(Case{"WorstCase", Provisioning::kWorstCase, kPanthor},
                    Case{"Exact", Provisioning::kExact, kPanthor},
                    Case{"ExactWithGiB", Provisioning::kExact, kWithGiB},
                    Case{"ExactThreeLevels", Provisioning::kExact, kThreeLevels},
                    Case{"ExactPagesOnly", Provisioning::kExact, kPagesOnly},
                    Case{"RangeReserve", Provisioning::kRangeReserve, kPanthor},
                    Case{"RangeReserveWithGiB", Provisioning::kRangeReserve, kWithGiB},
                    Case{"RangeReserveThreeLevels", Provisioning::kRangeReserve, kThreeLevels},
                    Case{"RangeReservePagesOnly", Provisioning::kRangeReserve, kPagesOnly}),
    [](const testing::TestParamInfo<Case>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace pantry::driver
