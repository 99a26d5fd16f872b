// SPDX-License-Identifier: MIT
//
// What a Provisioner has laid in for one bind, and what it must remember to take back. Move-only;
// made by Provisioner::prepare, used by begin, run and finish. While it has a claim, other binds
// rely on it and it on others, so it may not just be dropped: its bind runs, or begin and finish
// are called without (CHECK in the destructor). Without a claim it is no more than its reserve.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "driver/provision/bind_shape.h"
#include "driver/provision/table_reserve.h"
#include "driver/provision/window_pins.h"

namespace pantry::driver {

class Provision {
 public:
  // Without a pool, or without a bind that a provisioner knows of: for what takes no page.
  Provision() = default;
  explicit Provision(TableReserve tables) : tables_(std::move(tables)) {}
  // The shape is what `shape()` returns, made where it stays: a bind is short enough for a copy to
  // be seen.
  template <class Shape>
  requires std::same_as<std::invoke_result_t<Shape&>, BindShape> Provision(PageBorrower& borrower,
                                                                           Shape shape)
      : tables_(borrower), shape_(shape()) {}
  Provision(TableReserve tables, const BindShape& shape)
      : tables_(std::move(tables)), shape_(shape) {}
  Provision(Provision&& other) noexcept
      : tables_(std::move(other.tables_)),
        shape_(other.shape_),
        claimed_(std::exchange(other.claimed_, false)),
        spare_pins_(std::move(other.spare_pins_)),
        marks_(std::move(other.marks_)),
        marks_size_(std::exchange(other.marks_size_, 0)) {}
  Provision& operator=(Provision&& other) noexcept {
    PANTRY_CHECK(!claimed_);
    tables_ = std::move(other.tables_);
    shape_ = other.shape_;
    claimed_ = std::exchange(other.claimed_, false);
    spare_pins_ = std::move(other.spare_pins_);
    marks_ = std::move(other.marks_);
    marks_size_ = std::exchange(other.marks_size_, 0);
    return *this;
  }
  ~Provision() { PANTRY_CHECK(!claimed_); }

  // The only allocator that running the bind sees.
  TableReserve& tables() { return tables_; }
  const TableReserve& tables() const { return tables_; }
  const BindShape& shape() const { return shape_; }
  // Whether begin and finish are still owed.
  bool claimed() const { return claimed_; }

 private:
  friend class Exact;
  friend class RangeReserve;

  TableReserve tables_;
  BindShape shape_;
  bool claimed_ = false;
  WindowPins::Storage spare_pins_;          // Exact: for the record to grow into, if it has to
  std::unique_ptr<std::uint64_t[]> marks_;  // RangeReserve: one bit per window of the shape
  std::uint32_t marks_size_ = 0;            // in bits
};

}  // namespace pantry::driver
