// SPDX-License-Identifier: MIT
//
// What a run has dropped the last reference to, until it is safe to destroy it: the device may
// translate to a buffer's frames until the flush, and a section must not free. The plan of the run
// holds the list; both ends are over when it dies.
#pragma once

#include "base/check.h"
#include "base/ref.h"

namespace pantry::driver {

class RetiredObjects {
 public:
  // While one of these lives, last references that the calling thread drops go to the list instead
  // of the section's. Allocates nothing.
  class Collect {
   public:
    explicit Collect(RetiredObjects& to) noexcept : scope_(to.objects_) {}

   private:
    DeadList::Scope scope_;
  };

  RetiredObjects() = default;
  // Before the run only: empty (CHECK).
  RetiredObjects(RetiredObjects&& other) noexcept { PANTRY_CHECK(other.objects_.empty()); }
  RetiredObjects& operator=(RetiredObjects&& other) noexcept {
    PANTRY_CHECK(objects_.empty() && other.objects_.empty());
    return *this;
  }
  // Destroys them: outside any SignallingSection.
  ~RetiredObjects() PANTRY_MAY_ALLOCATE {
    if (!objects_.empty()) objects_.destroy_all();
  }

 private:
  DeadList objects_;
};

}  // namespace pantry::driver
