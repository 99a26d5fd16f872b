// SPDX-License-Identifier: MIT
//
// Table pages on a list that costs no memory: it is threaded through one link per frame of DRAM
// (PageLinks), which a page pool reserves once. A page is on at most one list. Nothing here
// allocates; no lock: a list belongs to whoever holds it.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/types.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class PageLinks {
 public:
  // Allocates one link per frame of `dram`.
  explicit PageLinks(emu::Dram dram);

  const emu::Dram& dram() const { return dram_; }

 private:
  friend class PageList;
  struct Release {
    void operator()(std::uint32_t* links) const;
  };
  std::uint32_t frame_of(PhysAddr page) const {
    PANTRY_CHECK(dram_.contains(page, kPageSize) && is_aligned(page.value, kPageSize));
    return static_cast<std::uint32_t>((page - dram_.base) / kPageSize);
  }
  emu::Dram dram_;
  std::unique_ptr<std::uint32_t[], Release>
      next_;  // 0: on no list; else the frame number of the next page plus 2, or kEnd
};

// Move-only; a list that dies with pages on it has lost them (CHECK).
class PageList {
 public:
  PageList() = default;
  explicit PageList(PageLinks& links) : links_(&links) {}
  PageList(PageList&& other) noexcept
      : links_(other.links_),
        head_(std::exchange(other.head_, kEnd)),
        tail_(other.tail_),
        count_(std::exchange(other.count_, 0)) {}
  PageList& operator=(PageList&& other) noexcept {
    PANTRY_CHECK(count_ == 0);
    links_ = other.links_;
    head_ = std::exchange(other.head_, kEnd);
    tail_ = other.tail_;
    count_ = std::exchange(other.count_, 0);
    return *this;
  }
  ~PageList() { PANTRY_CHECK(count_ == 0); }

  std::uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

  // Pre: `page` is on no list.
  void push(PhysAddr page) {
    const std::uint32_t frame = links_->frame_of(page);
    PANTRY_CHECK(links_->next_[frame] == 0);
    links_->next_[frame] = head_;
    if (count_++ == 0) tail_ = frame;
    head_ = frame + kBias;
  }
  // Pre: not empty.
  PhysAddr pop() {
    PANTRY_CHECK(count_ != 0);
    const std::uint32_t frame = head_ - kBias;
    head_ = std::exchange(links_->next_[frame], 0);
    --count_;
    return links_->dram_.base + std::uint64_t{frame} * kPageSize;
  }
  // Takes all pages of `other`, in constant time.
  void splice(PageList& other) {
    if (other.empty()) return;
    PANTRY_CHECK(links_ == other.links_);
    if (count_ == 0) tail_ = other.tail_;
    links_->next_[other.tail_] = head_;
    head_ = std::exchange(other.head_, kEnd);
    count_ += std::exchange(other.count_, 0);
  }
  // `pages` of these go to `list`. Linear in the smaller part: those that go or those that stay.
  // Pre: there are as many.
  void move(std::uint32_t pages, PageList& list) {
    PANTRY_CHECK(pages <= count_);
    const std::uint32_t staying = count_ - pages;
    if (pages <= staying) return move_first(pages, list);
    PageList stay;
    stay.links_ = links_;
    move_first(staying, stay);
    list.splice(*this);
    splice(stay);
  }
  // visit(PhysAddr) for each page.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::uint32_t at = head_; at != kEnd; at = links_->next_[at - kBias])
      visit(links_->dram_.base + std::uint64_t{at - kBias} * kPageSize);
  }

 private:
  // In order. O(pages).
  void move_first(std::uint32_t pages, PageList& list) {
    if (pages == 0) return;
    std::uint32_t last = head_ - kBias;
    for (std::uint32_t i = 1; i < pages; ++i) last = links_->next_[last] - kBias;
    const std::uint32_t rest = std::exchange(links_->next_[last], list.head_);
    if (list.count_ == 0) list.tail_ = last;
    list.head_ = std::exchange(head_, rest);
    list.count_ += pages;
    count_ -= pages;
  }

  static constexpr std::uint32_t kEnd = 1;
  static constexpr std::uint32_t kBias = 2;
  PageLinks* links_ = nullptr;
  std::uint32_t head_ = kEnd;
  std::uint32_t tail_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace pantry::driver
