// SPDX-License-Identifier: MIT
#include "driver/vm/shared_buffers.h"

#include <new>
#include <utility>
#include <vector>

#include "base/check.h"

namespace pantry::driver {

SharedBuffer::SharedBuffer(SharedBuffers& set, Ref<Buffer> buffer)
    : set_(set), buffer_(std::move(buffer)) {}

SharedBuffer::~SharedBuffer() { set_.leave(*this); }

SharedBuffers::~SharedBuffers() { PANTRY_CHECK(size() == 0); }

std::size_t SharedBuffers::size() const {
  MutexLock lock(mutex_);
  return links_.size();
}

Result<Ref<SharedBuffer>> SharedBuffers::link(const Ref<Buffer>& buffer) {
  PANTRY_CHECK(!buffer->exclusive() && buffer->reservation());
  // The node and the link are made before it is known whether they are needed: nothing is allocated
  // under the lock. Declared before the lock, so freed after it.
  Links::node_type node;
  Ref<SharedBuffer> made;
  if (faults_.should_fail()) return Error(Errno::kNoMem);
  try {
    Links one{{buffer.get(), nullptr}};
    node = one.extract(one.begin());
    made = make_ref<SharedBuffer>(*this, buffer);
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  MutexLock lock(mutex_);
  const auto found = links_.find(buffer.get());
  if (found == links_.end()) {
    node.mapped() = made.get();
    links_.insert(std::move(node));
    return made;
  }
  if (found->second->try_acquire()) return Ref<SharedBuffer>::adopt(found->second);
  // On its way out: the new one takes its place, and leave() sees that.
  found->second = made.get();
  return made;
}

void SharedBuffers::leave(SharedBuffer& link) noexcept {
  Links::node_type node;
  MutexLock lock(mutex_);
  const auto found = links_.find(link.buffer_.get());
  if (found != links_.end() && found->second == &link) node = links_.extract(found);
}

Result<> SharedBuffers::reserve(std::uint32_t count) {
  std::vector<Ref<SharedBuffer>> all;
  if (faults_.should_fail()) return Error(Errno::kNoMem);
  for (;;) {
    const std::size_t needed = size();
    try {
      all.reserve(needed);
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
    MutexLock lock(mutex_);
    if (links_.size() > all.capacity()) continue;
    for (const auto& [buffer, link] : links_)
      if (link->try_acquire()) all.push_back(Ref<SharedBuffer>::adopt(link));
    break;
  }
  for (const Ref<SharedBuffer>& link : all) {
    PANTRY_TRY(link->buffer_->reservation()->reserve(count));
    MutexLock lock(mutex_);
    link->reserved_ += count;
  }
  return {};
}

void SharedBuffers::add(const Ref<Fence>& fence) noexcept {
  MutexLock lock(mutex_);
  for (const auto& [buffer, link] : links_) {
    if (link->reserved_ == 0) continue;
    --link->reserved_;
    link->buffer_->reservation()->add(fence);
  }
}

}  // namespace pantry::driver
