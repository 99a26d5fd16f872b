// SPDX-License-Identifier: MIT
//
// For whoever wants to know what clients do: the report and the trace of `pantry run`.
#pragma once

#include "uapi/session.h"

namespace pantry::uapi {

class ServerObserver {
 public:
  struct Ioctl {
    std::uint32_t command = 0;
    int result = 0;
    pid_t pid = 0;
    TimePoint start;
    TimePoint end;  // of the call, waits included
  };
  // An ioctl of `session` is about to start; on the server's thread. What it changes is still as it
  // was.
  virtual void on_start(Session&, const IoctlRequest&, UserMemory&) {}
  // It is done. Any thread; for one that does not wait, the server's, before the next one starts.
  virtual void on_ioctl(const Ioctl& ioctl) = 0;
  // A device node is about to be released; on the server's thread.
  virtual void on_release(Session& session) = 0;

 protected:
  ~ServerObserver() = default;
};

}  // namespace pantry::uapi
