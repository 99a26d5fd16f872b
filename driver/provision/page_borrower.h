// SPDX-License-Identifier: MIT
//
// The only way between one VM and the page pool, in either direction: what is out belongs to that
// VM, be it in a reserve, in the table, on a list of the provisioner or in the magazine, and counts
// as memory of the client that pays for the VM (driver/kernel/quota.h).
//
// Invariant: kPageSize times the pages that were taken here and not given back here is charged.
// Pages do not move between VMs, so nothing on the way through one needs to be counted.
//
// Any thread; no lock but the pool's. give_back allocates nothing and is allowed inside a
// SignallingSection. A relaxed atomic each beside the pool's lock; a bind that finds its pages in
// the magazine comes by neither.
#pragma once

#include <cstdint>
#include <utility>

#include "base/ref.h"
#include "base/result.h"
#include "driver/kernel/quota.h"
#include "driver/provision/page_list.h"

namespace pantry::driver {

class PagePool;
enum class PageContent { kZero, kUsed };

class PageBorrower {
 public:
  // `pool` outlives it; it outlives what it has lent. `payer` null: nobody pays.
  explicit PageBorrower(PagePool& pool, Ref<Account> payer = nullptr)
      : pool_(pool), payer_(std::move(payer)) {}
  PageBorrower(const PageBorrower&) = delete;
  PageBorrower& operator=(const PageBorrower&) = delete;

  // As PagePool::take; ENOMEM also past the payer's quota, and then the pool is not asked.
  Result<PageList> take(std::uint32_t pages) PANTRY_MAY_ALLOCATE;
  // As PagePool::give_back. Pre: they were taken here.
  void give_back(PageList pages, PageContent content) noexcept;

  PagePool& pool() const { return pool_; }
  Account* payer() const { return payer_.get(); }

 private:
  PagePool& pool_;
  const Ref<Account> payer_;
};

}  // namespace pantry::driver
