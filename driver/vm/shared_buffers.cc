// SPDX-License-Identifier: MIT
#include "driver/vm/shared_buffers.h"

#include <new>
#include <utility>

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

bool SharedBuffers::contains(const Buffer& buffer) const {
  MutexLock lock(mutex_);
  return links_.contains(&buffer);
}

Result<Ref<SharedBuffer>> SharedBuffers::link(const Ref<Buffer>& buffer) {
  PANTRY_CHECK(!buffer->exclusive() && buffer->reservation());
  {
    MutexLock lock(mutex_);
    const auto found = links_.find(buffer.get());
    if (found != links_.end() && found->second->try_acquire())
      return Ref<SharedBuffer>::adopt(found->second);
  }
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

Result<std::vector<Ref<Reservation>>> SharedBuffers::reservations() const {
  std::vector<Ref<Reservation>> all;
  if (faults_.should_fail()) return Error(Errno::kNoMem);
  for (;;) {
    try {
      all.reserve(size() + 1);
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
    MutexLock lock(mutex_);
    if (links_.size() >= all.capacity()) continue;
    // A link on its way out waits for the lock before it lets its buffer go.
    for (const auto& [buffer, link] : links_) all.push_back(buffer->reservation());
    return all;
  }
}

}  // namespace pantry::driver
