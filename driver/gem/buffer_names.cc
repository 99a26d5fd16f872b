// SPDX-License-Identifier: MIT
#include "driver/gem/buffer_names.h"

#include <algorithm>
#include <new>

#include "base/check.h"

namespace pantry::driver {

Result<> BufferNames::add_handle(const Buffer& buffer) {
  MutexLock lock(mutex_);
  try {
    ++held_[&buffer].handles;
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  return {};
}

void BufferNames::drop_handle(const Buffer& buffer) noexcept {
  MutexLock lock(mutex_);
  const auto held = held_.find(&buffer);
  PANTRY_CHECK(held != held_.end());
  if (--held->second.handles != 0) return;
  if (held->second.name != 0) names_.take(held->second.name);
  held_.erase(held);
}

std::uint32_t BufferNames::handles_of(const Buffer& buffer) const {
  MutexLock lock(mutex_);
  const auto held = held_.find(&buffer);
  return held == held_.end() ? 0 : held->second.handles;
}

std::uint32_t BufferNames::known_name_of(const Buffer& buffer) const {
  MutexLock lock(mutex_);
  const auto held = held_.find(&buffer);
  return held == held_.end() ? 0 : held->second.name;
}

Result<std::uint32_t> BufferNames::name_of(Buffer& buffer) {
  MutexLock lock(mutex_);
  const auto held = held_.find(&buffer);
  if (held == held_.end()) return Error(Errno::kNoEnt);
  if (held->second.name == 0) {
    PANTRY_TRY_ASSIGN(held->second.name, names_.put(&buffer, Errno::kNoSpc));
  }
  return held->second.name;
}

Ref<Buffer> BufferNames::find(std::uint32_t name) const {
  MutexLock lock(mutex_);
  Buffer* const* const found = names_.find(name);
  if (!found || !(*found)->try_acquire()) return nullptr;
  return Ref<Buffer>::adopt(*found);
}

std::vector<BufferNames::Named> BufferNames::all() const {
  std::vector<Named> all;
  {
    MutexLock lock(mutex_);
    for (const auto& [buffer, held] : held_)
      if (held.name != 0)
        all.push_back({held.name, held.handles, Ref<Buffer>::share(**names_.find(held.name))});
  }
  std::ranges::sort(all, {}, &Named::name);
  return all;
}

BufferNames::Totals BufferNames::totals() const {
  MutexLock lock(mutex_);
  return {held_.size(), names_.size()};
}

}  // namespace pantry::driver
