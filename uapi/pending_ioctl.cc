// SPDX-License-Identifier: MIT
#include "uapi/pending_ioctl.h"

#include <utility>

namespace pantry::uapi {

PendingIoctl::PendingIoctl(PendingIoctls& owner, std::uint64_t token, driver::SyncobjWaitArgs args,
                           Finish finish, IoctlCompletion& completion, driver::Charge charge)
    : owner_(owner),
      token_(token),
      finish_(std::move(finish)),
      completion_(completion),
      charge_(std::move(charge)),
      wait_(owner.executor(), std::move(args), *this) {}

PendingIoctl::~PendingIoctl() { owner_.executor().lane(driver::Lane::kCleanup).cancel(*this); }

bool PendingIoctl::start() {
  wait_.start();
  MutexLock lock(mutex_);
  if (state_ == State::kDone) return true;
  state_ = State::kPending;
  return false;
}

void PendingIoctl::on_wait_done(Result<std::uint32_t> result) noexcept {
  {
    MutexLock lock(mutex_);
    const bool in_start = state_ == State::kStarting;
    state_ = State::kDone;
    result_ = result;
    if (in_start) return;
  }
  owner_.executor().lane(driver::Lane::kCleanup).queue(*this);
}

void PendingIoctl::run() {
  finish();
  owner_.destroy(*this);
}

void PendingIoctl::finish() {
  Result<std::uint32_t> waited = 0;
  {
    MutexLock lock(mutex_);
    waited = result_;
  }
  completion_.on_ioctl_done(finish_(waited, wait_));
}

PendingIoctls::~PendingIoctls() {
  MutexLock lock(mutex_);
  for (auto& [ioctl, owned] : ioctls_) owned->cancel();
  while (!ioctls_.empty() || dying_ != 0) changed_.wait(mutex_);
}

void PendingIoctls::start(std::unique_ptr<PendingIoctl> owned) {
  PendingIoctl& ioctl = *owned;
  {
    MutexLock lock(mutex_);
    ioctls_.emplace(&ioctl, std::move(owned));
  }
  if (!ioctl.start()) return;
  ioctl.finish();
  destroy(ioctl);
}

void PendingIoctls::cancel(std::uint64_t token) {
  MutexLock lock(mutex_);
  for (auto& [ioctl, owned] : ioctls_)
    if (owned->token() == token) owned->cancel();
}

void PendingIoctls::destroy(PendingIoctl& ioctl) {
  std::unique_ptr<PendingIoctl> dead;
  {
    MutexLock lock(mutex_);
    const auto entry = ioctls_.find(&ioctl);
    dead = std::move(entry->second);
    // Before the memory is free: the next ioctl may get the same address.
    ioctls_.erase(entry);
    ++dying_;
  }
  // From its own work item the lane's cancel only undoes a re-queue, of which there is none.
  dead.reset();
  // The count goes last, under the lock: from then on this object may be gone.
  MutexLock lock(mutex_);
  --dying_;
  changed_.notify_all();
}

}  // namespace pantry::uapi
