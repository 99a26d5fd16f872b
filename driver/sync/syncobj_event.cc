// SPDX-License-Identifier: MIT
#include "driver/sync/syncobj_event.h"

#include <utility>

namespace pantry::driver {

SyncobjEvent::~SyncobjEvent() {
  if (fence_) fence_->remove_callback(*this);
  cleanup_.cancel(*this);
}

void SyncobjEvent::start(Syncobj& syncobj) noexcept {
  if (!take_fence(syncobj)) return;
  if (!is_time()) return follow();
  fire();
  end();
}

void SyncobjEvent::on_changed(Syncobj& syncobj) noexcept {
  if (take_fence(syncobj)) follow();
}

bool SyncobjEvent::take_fence(Syncobj& syncobj) noexcept {
  if (has_fence()) return false;
  Result<Ref<Fence>> found = syncobj.find(point_);
  // A change at the same time may have found it too.
  if (!found || has_fence_.exchange(true, std::memory_order_acq_rel)) return false;
  fence_ = *std::move(found);
  return true;
}

void SyncobjEvent::follow() noexcept {
  itself_ = Ref<SyncobjEvent>::share(*this);
  if (is_time() || !fence_->add_callback(*this)) happen();
}

void SyncobjEvent::on_signalled(Fence&) noexcept {
  // A lane has others' fences to signal, which one client's many events are not to delay, and no
  // client waits for it to return.
  if (WorkLane::in_item_that_may_not_wait()) return cleanup_.queue(*this);
  happen();
}

void SyncobjEvent::happen() noexcept {
  fire();
  fired_ = true;
  cleanup_.queue(*this);
}

void SyncobjEvent::run() {
  const Ref<SyncobjEvent> last = std::move(itself_);
  if (!fired_) fire();
  end();
}

void SyncobjEvent::end() {
  let_go();
  charge_ = {};
}

}  // namespace pantry::driver
