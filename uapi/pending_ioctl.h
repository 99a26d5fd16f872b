// SPDX-License-Identifier: MIT
//
// An ioctl that waits, without a thread: it keeps its wait, and what is left to do, until the wait
// completes, then finishes on the clean-up lane (a fence may complete it on a thread that may
// neither allocate nor touch a client). Owned through PendingIoctls by the open file that it is
// about, which forgets and destroys it when it is done.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "driver/kernel/quota.h"
#include "driver/sync/syncobj_wait.h"
#include "uapi/session.h"

namespace pantry::uapi {

class PendingIoctls;

class PendingIoctl final : private driver::SyncobjWait::Completion, private driver::Work {
 public:
  // What the call comes to: `wait` is complete, with `result`. Throws nothing.
  using Finish =
      std::function<IoctlReply(Result<std::uint32_t> result, const driver::SyncobjWait& wait)>;

  PendingIoctl(PendingIoctls& owner, std::uint64_t token, driver::SyncobjWaitArgs args,
               Finish finish, IoctlCompletion& completion,
               driver::Charge charge) PANTRY_MAY_ALLOCATE;
  ~PendingIoctl();

  std::uint64_t token() const { return token_; }
  // True when the wait was over at once: finish() is the caller's, and nothing else happens by
  // itself.
  bool start();
  void cancel() { wait_.cancel(); }
  // Finishes the call, and replies.
  void finish();

 private:
  enum class State { kStarting, kPending, kDone };
  void on_wait_done(Result<std::uint32_t> result) noexcept override;
  void run() override;

  PendingIoctls& owner_;
  const std::uint64_t token_;
  const Finish finish_;
  IoctlCompletion& completion_;
  const driver::Charge charge_;
  Mutex mutex_;
  State state_ PANTRY_GUARDED_BY(mutex_) = State::kStarting;
  Result<std::uint32_t> result_ PANTRY_GUARDED_BY(mutex_) = 0;
  driver::SyncobjWait wait_;
};

class PendingIoctls {
 public:
  explicit PendingIoctls(driver::Executor& executor) : executor_(executor) {}
  // Cancels what is pending and waits until it has finished.
  ~PendingIoctls();

  driver::Executor& executor() { return executor_; }
  // Takes over. Finishes it at once when its wait is over already.
  void start(std::unique_ptr<PendingIoctl> ioctl) PANTRY_MAY_ALLOCATE;
  void cancel(std::uint64_t token);

 private:
  friend class PendingIoctl;
  void destroy(PendingIoctl& ioctl);

  driver::Executor& executor_;
  Mutex mutex_;
  CondVar changed_;
  std::unordered_map<PendingIoctl*, std::unique_ptr<PendingIoctl>> ioctls_
      PANTRY_GUARDED_BY(mutex_);
  // So many are no longer in the map, and not yet gone.
  std::uint32_t dying_ PANTRY_GUARDED_BY(mutex_) = 0;
};

}  // namespace pantry::uapi
