// SPDX-License-Identifier: MIT
//
// Watches the server and writes a trace of what its clients ask of VM_BIND. Sees what the ioctl
// sees, before it: a VM, buffer or syncobj is told of when a bind first names it. A bind whose
// arrays cannot be read is left out and counted.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "tools/trace/trace_file.h"
#include "uapi/server/server_observer.h"

namespace pantry::trace {

class Recorder final : public uapi::ServerObserver {
 public:
  explicit Recorder(const uapi::Features& features) : features_(features) {}

  void on_start(uapi::Session& session, const uapi::IoctlRequest& request,
                uapi::UserMemory& memory) override;
  void on_ioctl(const Ioctl& ioctl) override;
  void on_release(uapi::Session& session) override;

  std::uint64_t unreadable() const;
  // Once, when every client has gone.
  std::vector<std::byte> finish();

 private:
  // The numbers in the trace of what a session names.
  struct Client {
    std::uint32_t number = 0;
    std::map<std::uint32_t, std::uint32_t> vms, buffers, syncobjs;
  };
  // What a call that has started will turn out to be, once it has succeeded.
  struct Closing {
    uapi::Session* session = nullptr;
    std::map<std::uint32_t, std::uint32_t> Client::*kind = nullptr;
    std::uint32_t name = 0;
  };

  Client& client_of(uapi::Session& session) PANTRY_REQUIRES(mutex_);
  std::optional<Bind> read_bind(uapi::Session& session, const uapi::IoctlRequest& request,
                                uapi::UserMemory& memory) PANTRY_REQUIRES(mutex_);
  std::optional<std::uint32_t> buffer_of(uapi::Session& session, std::uint32_t handle)
      PANTRY_REQUIRES(mutex_);
  std::optional<std::uint32_t> syncobj_of(uapi::Session& session, std::uint32_t handle)
      PANTRY_REQUIRES(mutex_);
  void close(const Closing& closing) PANTRY_REQUIRES(mutex_);

  const uapi::Features& features_;
  mutable Mutex mutex_;
  Writer writer_ PANTRY_GUARDED_BY(mutex_);
  std::map<uapi::Session*, Client> clients_ PANTRY_GUARDED_BY(mutex_);
  std::array<std::uint32_t, 4> told_
      PANTRY_GUARDED_BY(mutex_){};                      // clients, VMs, buffers, syncobjs
  std::optional<Bind> bind_ PANTRY_GUARDED_BY(mutex_);  // has started
  std::optional<Closing> closing_ PANTRY_GUARDED_BY(mutex_);
  std::optional<TimePoint> last_start_ PANTRY_GUARDED_BY(mutex_);
  std::uint64_t unreadable_ PANTRY_GUARDED_BY(mutex_) = 0;
};

}  // namespace pantry::trace
