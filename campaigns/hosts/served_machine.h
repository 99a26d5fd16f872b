// SPDX-License-Identifier: MIT
//
// A host for campaigns that kill its clients: a machine as `pantry run` has it, served on real
// threads out of a private directory, and the programs of the campaign that run on it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "driver/kernel/thread_executor.h"
#include "tools/client_process.h"
#include "tools/private_directory.h"
#include "tools/server_thread.h"
#include "uapi/server/server.h"

namespace pantry::campaigns {

class ServedMachine {
 public:
  // Null: stderr says what cannot be had, after `campaign` and a colon. `observer`, which outlives
  // it, hears of what clients do.
  static std::unique_ptr<ServedMachine> create(const char* campaign,
                                               uapi::ServerObserver& observer);

  driver::Executor& executor() { return executor_; }
  uapi::Machine& machine() { return *machine_; }
  uapi::Server& server() { return *server_; }
  // The client `name` that is built beside this program.
  tools::ClientProgram client(const char* name) const;

 private:
  explicit ServedMachine(tools::PrivateDirectory directory) : directory_(std::move(directory)) {}

  static constexpr unsigned kBindThreads = 2;
  driver::ThreadExecutor executor_{kBindThreads};
  tools::PrivateDirectory directory_;
  std::unique_ptr<uapi::Machine> machine_;
  std::unique_ptr<uapi::Server> server_;
  std::unique_ptr<tools::ServerThread> serving_;
};

}  // namespace pantry::campaigns
