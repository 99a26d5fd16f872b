// SPDX-License-Identifier: MIT
//
// A client in the same process: for unit tests, benchmarks, fuzzers and simulation. Blocks where a
// real client would block in the kernel. Descriptors that come out of an ioctl are small numbers of
// a table of its own; eventfds are real.
#pragma once

#include <map>

#include "uapi/machine/machine.h"
#include "uapi/machine/process_memory.h"

namespace pantry::uapi {

class LocalClient {
 public:
  LocalClient(Machine& machine, driver::NodeType node, const driver::Credentials& credentials);

  // 0 or a negated errno.
  int ioctl(std::uint32_t command, void* argument) PANTRY_MAY_WAIT;
  // The typed form: `client.call(DRM_IOCTL_PANTHOR_VM_CREATE, args)`.
  template <class T>
  int call(std::uint32_t command, T& argument) {
    return ioctl(command, &argument);
  }
  Result<MmapTarget> mmap(std::uint64_t offset, std::uint64_t length, int protection);
  // What a descriptor of this client stands for.
  FdObject object(int number) const;
  void close(int number);
  Session& session() { return *session_; }

 private:
  class Blocking;
  std::unique_ptr<Session> session_;
  ProcessMemory memory_;
  mutable Mutex mutex_;
  std::uint64_t next_token_ PANTRY_GUARDED_BY(mutex_) = 1;
  int next_fd_ PANTRY_GUARDED_BY(mutex_) = 1000;
  std::map<int, decltype(NewFd::object)> fds_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::uapi
