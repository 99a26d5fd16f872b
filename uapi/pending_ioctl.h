// SPDX-License-Identifier: MIT
//
// An ioctl that waits, without a thread: it keeps its argument and its wait until the wait
// completes, then finishes on the clean-up lane (a fence may complete it on a thread that may
// neither allocate nor touch a client). Owned by the session through PendingIoctls, which forgets
// and destroys it when it is done.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "uapi/ioctl_call.h"

namespace pantry::uapi {

class PendingIoctls;

class PendingIoctl final : private driver::SyncobjWait::Completion, private driver::Work {
 public:
  // `call.argument` is copied. `user_bytes` of the argument go back to the client.
  PendingIoctl(PendingIoctls& owner, std::uint64_t token, Call& call, std::size_t user_bytes,
               IoctlCompletion& completion, driver::Charge charge);
  ~PendingIoctl();

  std::uint64_t token() const { return token_; }
  // True when the wait was over at once: finish() is the caller's, and nothing else happens by
  // itself.
  bool start();
  void cancel() { wait_.cancel(); }
  // Finishes the call: the handler's second half, the copy back, the reply.
  void finish();

 private:
  enum class State { kStarting, kPending, kDone };
  void on_wait_done(Result<std::uint32_t> result) noexcept override;
  void run() override;

  PendingIoctls& owner_;
  const std::uint64_t token_;
  std::vector<std::uint64_t> argument_;
  Call call_;
  const decltype(PendingWait::finish) finish_;
  const std::size_t user_bytes_;
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
