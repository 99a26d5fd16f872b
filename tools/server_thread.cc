// SPDX-License-Identifier: MIT
#include "tools/server_thread.h"

namespace pantry::tools {

ServerThread::ServerThread(driver::Executor& executor, uapi::Server& server) : server_(server) {
  executor.spawn("server", *this);
}

ServerThread::~ServerThread() {
  server_.stop();
  MutexLock lock(mutex_);
  while (!finished_) done_.wait(mutex_);
}

void ServerThread::run() {
  server_.run();
  MutexLock lock(mutex_);
  finished_ = true;
  done_.notify_all();
}

}  // namespace pantry::tools
