// SPDX-License-Identifier: MIT
//
// A few spare table pages in the hands of one VM, so that a bind whose pages come and go under the
// operation lock need not go to the pool, and its lock, for them. Filled by what such binds do not
// use.
//
// Invariant: every page in it is zero, and belongs, as the FrameOwner port has it, to a bind that
// laid it in once. The pool counts what is in it as its own (PoolStatistics::cached), and the VM's
// client pays for it.
//
// The operation lock of the VM serialises take and give, which allocate nothing, take no lock and
// are allowed inside a SignallingSection. count() may be asked by anybody.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "driver/provision/page_borrower.h"
#include "driver/provision/page_list.h"

namespace pantry::driver {

class PageMagazine : public boost::intrusive::list_base_hook<> {
 public:
  // 64 KiB; a bind of up to 1 GiB within one GiB finds its worst case here only where it is small:
  // four binds of less than 2 MiB.
  static constexpr std::uint32_t kMost = 16;

  // For the pages of `borrower`, which outlives it. Takes the lock of the pool.
  explicit PageMagazine(PageBorrower& borrower);
  // Nobody pays.
  explicit PageMagazine(PagePool& pool);
  // Gives everything back to the pool.
  ~PageMagazine();
  PageMagazine(const PageMagazine&) = delete;
  PageMagazine& operator=(const PageMagazine&) = delete;

  // `pages` of it go to `list`. False, and nothing is done: there are not as many. O(pages).
  [[nodiscard]] bool take(std::uint32_t pages, PageList& list) noexcept {
    if (pages > pages_.count()) return false;
    pages_.move(pages, list);
    publish();
    return true;
  }
  // All pages of `list`, if there is room for all. O(1).
  void give(PageList& list) noexcept {
    if (list.empty() || pages_.count() + list.count() > kMost) return;
    pages_.splice(list);
    publish();
  }

  std::uint32_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  void publish() noexcept { count_.store(pages_.count(), std::memory_order_relaxed); }

  PageBorrower& borrower_;
  PageList pages_;
  std::atomic<std::uint32_t> count_{0};  // of pages_
};

}  // namespace pantry::driver
