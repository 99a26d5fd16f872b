// SPDX-License-Identifier: MIT
//
// For tests only: a page table with its provisioner and a pool of its own, whose binds are
// prepared, run and given up as a VM does it, without VA tree and device.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/raw_table.h"
#include "driver/provision/exact.h"
#include "driver/provision/make_provisioner.h"
#include "driver/provision/page_magazine.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/page_quota.h"

namespace pantry::driver {

// A map with its rights, or an unmap.
struct Bind {
  BindShape shape;
  Prot prot = Prot::kNone;
};

// One page table with its provisioner, run as a VM runs them.
class Space {
 public:
  static constexpr std::uint64_t kNoBound = UINT32_MAX;

  // `bound`: of the pages that pending binds hold.
  // `payer`: whose memory the pages are, if anybody's.
  Space(Provisioning kind, const TableConfig& config, std::uint64_t bound = kNoBound,
        Ref<Account> payer = nullptr)
      : memory_(kBytes),
        frames_({TestDram::kBase, kBytes}, {}),
        pool_(frames_, memory_.dram()),
        borrower_(pool_, std::move(payer)),
        quota_(bound),
        table_(make_table(config)),
        provisioner_(make_provisioner(kind, table_, pool_)) {}
  ~Space() {
    provisioner_.reset();
    TableReserve last(borrower_);
    table_.destroy(last);
    last.release_after_flush();
  }

  const ArmLpaeS1Table& table() const { return table_; }
  AllocationFaults& faults() { return pool_.faults(); }
  PoolStatistics pool() const { return pool_.statistics(); }
  const Exact* exact() const { return dynamic_cast<const Exact*>(provisioner_.get()); }
  RawTable raw() const {
    return RawTable(memory_.dram(), table_.root(), 4 - table_.config().levels());
  }
  std::uint32_t table_pages() const {
    std::uint32_t sum = 0;
    for (const std::uint32_t tables : table_.tables_by_level()) sum += tables;
    return sum;
  }

  const PageQuota& quota() const { return quota_; }
  std::uint32_t kept_for_next() const { return magazine_.count(); }

  // As an asynchronous bind does, and as one that runs at once.
  Result<Provision> prepare_queued(const Bind& bind) {
    return provisioner_->prepare(bind.shape, TableReserve(borrower_, quota_), operation_);
  }
  Result<Provision> prepare(const Bind& bind) {
    return provisioner_->prepare(bind.shape, TableReserve(borrower_), operation_);
  }
  void run(Provision provision, const Bind& bind) {
    provisioner_->begin(provision);
    TableReserve& tables = provision.tables();
    const GpuRange range = bind.shape.range;
    if (bind.shape.kind == BindShape::Kind::kMap) {
      ASSERT_TRUE(table_.clear(range, tables)) << "no page for a split";
      ASSERT_FALSE(table_.map(range, bind.shape.frames, bind.prot, tables).error) << "no page";
    } else if (bind.shape.kind == BindShape::Kind::kRepeat) {
      ASSERT_TRUE(table_.clear(range, tables)) << "no page for a split";
      ASSERT_FALSE(table_.map_repeated(range, bind.shape.repeated, bind.prot, tables).error)
          << "no page";
    } else {
      ASSERT_TRUE(table_.unmap(range, tables)) << "no page for a split";
    }
    finish(std::move(provision));
  }
  // Accepted, run and done under one hold of the operation lock. ENOMEM: nothing was done.
  Result<> run_at_once(const Bind& bind) {
    Provision provision(TableReserve(borrower_), bind.shape);
    for (;;) {
      Provisioner::Needs needs;
      {
        MutexLock lock(operation_);
        provision.tables().draw_on(magazine_);
        if (provisioner_->claim(provision, needs)) {
          run(std::move(provision), bind);
          return {};
        }
      }
      PANTRY_TRY(provisioner_->supply(needs, provision));
    }
  }
  void give_up(Provision provision, const Bind& bind) {
    provisioner_->begin(provision);
    table_.prune(bind.shape.range, provision.tables());
    finish(std::move(provision));
  }
  // Without a provisioner's knowledge. Pre: no block, nor window of a repeated table, sticks out of
  // it.
  void unmap_whole(GpuRange range) {
    Provision none{TableReserve(borrower_)};
    provisioner_->begin(none);
    ASSERT_TRUE(table_.unmap(range, none.tables()));
    finish(std::move(none));
  }
  void run_now(const Bind& bind) {
    Result<Provision> provision = prepare(bind);
    ASSERT_TRUE(provision);
    run(*std::move(provision), bind);
  }

  // Pages laid in by all binds so far, and pages that became tables.
  std::uint64_t reserved = 0;
  std::uint64_t used = 0;

 private:
  static constexpr std::uint64_t kBytes = 32 * kMiB;

  ArmLpaeS1Table make_table(const TableConfig& config) {
    TableReserve root(borrower_);
    EXPECT_TRUE(root.grow(1));
    return ArmLpaeS1Table::create(config, pool_.metadata(), root).value();
  }
  void finish(Provision provision) {
    // Where no flush is asked for, no freed table may be laid in again.
    const bool flushed = provisioner_->must_flush(provision);
    const std::uint32_t before = provision.tables().statistics().reserved;
    provisioner_->finish(provision);
    if (!flushed) {
      EXPECT_EQ(provision.tables().statistics().reserved, before);
    }
    provision.tables().fill_magazine();
    provision.tables().release_after_flush();
    const ReserveStatistics& pages = provision.tables().statistics();
    reserved += pages.reserved;
    used += pages.used;
  }

  TestDram memory_;
  FrameAllocator frames_;
  PagePool pool_;
  PageBorrower borrower_;
  PageQuota quota_;
  PageMagazine magazine_{borrower_};
  Mutex operation_;
  ArmLpaeS1Table table_;
  std::unique_ptr<Provisioner> provisioner_;
};

}  // namespace pantry::driver
