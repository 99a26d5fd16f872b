// SPDX-License-Identifier: MIT
//
// The thread that serves clients, from construction to destruction.
#pragma once

#include "base/mutex.h"
#include "driver/kernel/executor.h"
#include "uapi/server/server.h"

namespace pantry::tools {

class ServerThread final : private driver::ThreadBody {
 public:
  // Both outlive it.
  ServerThread(driver::Executor& executor, uapi::Server& server);
  // Stops the server and waits for that.
  ~ServerThread();

 private:
  void run() override;

  uapi::Server& server_;
  Mutex mutex_;
  CondVar done_;
  bool finished_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace pantry::tools
