// SPDX-License-Identifier: MIT
//
// Small integer ids for objects, the lowest free one first: VM ids, group handles, GEM and syncobj
// handles, heap ids. Not locked: the owner guards it. put and reserve may allocate (std::bad_alloc
// never escapes: ENOMEM).
#pragma once

#include <cstdint>
#include <map>
#include <new>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/result.h"
#include "base/signalling.h"

namespace pantry::driver {

template <class T>
class IdTable {
 public:
  // Ids are first..last, both included.
  IdTable(std::uint32_t first, std::uint32_t last) : first_(first), last_(last) {}

  // The id given to `object`. `full` is the errno when all ids are in use.
  Result<std::uint32_t> put(T object, Errno full) PANTRY_MAY_ALLOCATE {
    const std::optional<std::uint32_t> id = lowest_free();
    if (!id) return Error(full);
    try {
      objects_.emplace(*id, std::move(object));
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
    if (*id == hint_) ++hint_;
    return *id;
  }
  // The object, or nullptr.
  T* find(std::uint32_t id) {
    const auto it = objects_.find(id);
    return it == objects_.end() ? nullptr : &it->second;
  }
  // Removes and returns the object; nothing when the id is unknown. Frees a node.
  std::optional<T> take(std::uint32_t id) PANTRY_MAY_ALLOCATE {
    const auto it = objects_.find(id);
    if (it == objects_.end()) return std::nullopt;
    std::optional<T> object(std::move(it->second));
    objects_.erase(it);
    if (id < hint_) hint_ = id;
    return object;
  }
  std::size_t size() const { return objects_.size(); }
  // In order of id: visit(id, object).
  template <class Visit>
  void for_each(Visit visit) {
    for (auto& [id, object] : objects_) visit(id, object);
  }
  // Takes everything, lowest id first.
  template <class Visit>
  void take_all(Visit visit) PANTRY_MAY_ALLOCATE {
    while (!objects_.empty()) {
      auto node = objects_.extract(objects_.begin());
      visit(node.key(), std::move(node.mapped()));
    }
    hint_ = first_;
  }

 private:
  // Every id below hint_ is in use, so the search starts there: amortised constant while ids are
  // only added.
  std::optional<std::uint32_t> lowest_free() {
    if (hint_ > last_) return std::nullopt;
    auto it = objects_.lower_bound(static_cast<std::uint32_t>(hint_));
    while (it != objects_.end() && it->first == hint_) {
      ++hint_;
      ++it;
    }
    if (hint_ > last_) return std::nullopt;
    return static_cast<std::uint32_t>(hint_);
  }

  const std::uint32_t first_;
  const std::uint32_t last_;
  std::uint64_t hint_ = first_;  // may be one past UINT32_MAX
  std::map<std::uint32_t, T> objects_;
};

}  // namespace pantry::driver
