// SPDX-License-Identifier: MIT
//
// One open file as a client sees it, independent of how the client gets here: ioctl, mmap look-up,
// release. Server, unit tests, benchmarks, fuzzers and simulation all enter through it.
//
// An ioctl that has to wait (SYNCOBJ_WAIT and its like) does not hold a thread: ioctl() returns and
// the completion comes later, or when the call is cancelled. The blocking form is on top
// (blocking_ioctl.h).
//
// File descriptors are the transport's: objects that come out of an ioctl are handed to it in the
// reply, together with where in the client's memory the number belongs; descriptors that go into
// one are resolved by it beforehand.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "driver/device/file.h"
#include "driver/sync/sync_file.h"
#include "uapi/features.h"
#include "uapi/user_memory.h"

namespace pantry::uapi {

// What a descriptor of the client's stands for.
struct BadFd {};      // not open
struct ForeignFd {};  // open, but nothing of ours
struct EventFd {
  driver::OwnedFd fd;
};  // an eventfd of the client's; ours is a duplicate
using FdObject = std::variant<BadFd, ForeignFd, EventFd, Ref<driver::Buffer>, Ref<driver::SyncFile>,
                              Ref<driver::Syncobj>>;

// A new descriptor for the client: the transport installs it and writes its number, an s32, at
// `number_at` in the argument: as much of it as the command lets out (fd_field.h).
struct NewFd {
  std::variant<Ref<driver::Buffer>, Ref<driver::SyncFile>, Ref<driver::Syncobj>> object;
  UserAddr number_at;
  enum class OnExec { kKeep, kClose } on_exec = OnExec::kKeep;
  enum class Access { kReadOnly, kReadWrite } access = Access::kReadWrite;  // of a dma-buf
};

// Who makes a call: not always who opened the file, as descriptors are inherited and handed over,
// and privileges dropped.
class Caller {
 public:
  // As they are now. Costs some system calls, so it is asked where they matter only.
  virtual driver::Credentials credentials() = 0;

 protected:
  ~Caller() = default;
};

struct IoctlRequest {
  std::uint32_t command = 0;
  UserAddr argument;
  // The descriptor named in the argument, for the commands that take one (fd_field_offset); BadFd
  // otherwise.
  FdObject fd;
  // Lives until the completion. Null: who opened the file, as it was then.
  Caller* caller = nullptr;
};

struct IoctlReply {
  int result = 0;  // 0 or a negated errno
  std::optional<NewFd> new_fd;
};

class IoctlCompletion {
 public:
  // Exactly once per ioctl, without locks; during ioctl() or later on any thread.
  virtual void on_ioctl_done(IoctlReply reply) = 0;

 protected:
  ~IoctlCompletion() = default;
};

// What an mmap of the device node maps.
struct MmapTarget {
  Ref<driver::Buffer> buffer;  // null: the user MMIO page
  std::uint64_t size = 0;
};

// Where in the argument struct of `command` a descriptor goes in, if it does: PRIME_FD_TO_HANDLE,
// SYNCOBJ_FD_TO_HANDLE, SYNCOBJ_EVENTFD. How much of it: fd_field.h.
std::optional<std::uint32_t> fd_field_offset(std::uint32_t command);

class Session {
 public:
  Session(driver::Device& device, const Features& features, driver::NodeType node,
          const driver::Credentials& credentials, Ref<driver::Account> account);
  // The last descriptor is gone. Waits still pending complete with EINTR first.
  ~Session();

  // `memory` and `completion` live until the completion. Any number of calls at once, from any
  // threads. `token` names this call for cancel(); unique among the pending calls of the session.
  void ioctl(std::uint64_t token, IoctlRequest request, UserMemory& memory,
             IoctlCompletion& completion);
  // A signal reached the waiting client: a pending call completes with EINTR; any other is left
  // alone.
  void cancel(std::uint64_t token);

  enum class MapType { kShared, kPrivate };
  // panthor-uapi.md H: `protection` is PROT_* of the call, `offset` and `length` in bytes.
  Result<MmapTarget> mmap(std::uint64_t offset, std::uint64_t length, int protection, MapType type);

  driver::File& file();
  const Features& features() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pantry::uapi
