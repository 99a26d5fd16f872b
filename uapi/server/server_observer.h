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
  // Whether calls may be seen side by side, each on its own thread; else one that takes long delays
  // all.
  enum class Calls { kOneAtATime, kSideBySide };
  virtual Calls calls() const { return Calls::kOneAtATime; }
  // An ioctl of `session` is about to start, on a thread of the server. What it changes is still as
  // it was.
  virtual void on_start(Session&, const IoctlRequest&, UserMemory&) {}
  // It is done. Any thread; for one that does not wait, that on which it started.
  virtual void on_ioctl(const Ioctl& ioctl) = 0;
  // A device node is about to be released; on a thread of the server.
  virtual void on_release(Session& session) = 0;

 protected:
  ~ServerObserver() = default;
};

}  // namespace pantry::uapi
