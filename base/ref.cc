// SPDX-License-Identifier: MIT
#include "base/ref.h"

#include "base/check.h"

namespace pantry {

void DeadList::push(const RefCounted* object) noexcept {
  const RefCounted* head = head_.load(std::memory_order_relaxed);
  do {
    object->next_dead_ = head;
  } while (!head_.compare_exchange_weak(head, object, std::memory_order_release,
                                        std::memory_order_relaxed));
}

void DeadList::destroy_all() noexcept {
  PANTRY_CHECK(current() == nullptr);
  const RefCounted* object = head_.exchange(nullptr, std::memory_order_acquire);
  while (object) {
    const RefCounted* const next = object->next_dead_;
    delete object;
    object = next;
  }
}

bool RefCounted::try_acquire() const noexcept {
  std::uint32_t count = count_.load(std::memory_order_relaxed);
  do {
    if (count == 0) return false;
  } while (!count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
  return true;
}

void RefCounted::release() const noexcept {
  const std::uint32_t before = count_.fetch_sub(1, std::memory_order_acq_rel);
  PANTRY_CHECK(before != 0);
  if (before != 1) return;
  DeadList::Scope* const scope = DeadList::scope_;
  if (!scope) {
    delete this;
    return;
  }
  scope->used_ = true;
  scope->list_.push(this);
}

}  // namespace pantry
