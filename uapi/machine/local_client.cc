// SPDX-License-Identifier: MIT
#include "uapi/machine/local_client.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "uapi/fd_field.h"
#include "uapi/machine/eventfd.h"

namespace pantry::uapi {

class LocalClient::Blocking final : public IoctlCompletion {
 public:
  void on_ioctl_done(IoctlReply reply) override {
    MutexLock lock(mutex_);
    reply_ = std::move(reply);
    done_.notify_all();
  }
  IoctlReply wait() {
    MutexLock lock(mutex_);
    while (!reply_) done_.wait(mutex_);
    return *std::move(reply_);
  }

 private:
  Mutex mutex_;
  CondVar done_;
  std::optional<IoctlReply> reply_ PANTRY_GUARDED_BY(mutex_);
};

LocalClient::LocalClient(Machine& machine, driver::NodeType node,
                         const driver::Credentials& credentials)
    : session_(machine.open(node, credentials)), memory_(::getpid()) {}

int LocalClient::ioctl(std::uint32_t command, void* argument) {
  const UserAddr at{reinterpret_cast<std::uint64_t>(argument)};
  IoctlRequest request{command, at, BadFd{}};
  if (const auto offset = fd_field_offset(command)) {
    int number = 0;
    std::memcpy(&number, static_cast<const std::byte*>(argument) + *offset,
                fd_field_bytes(command, _IOC_WRITE, *offset));
    request.fd = object(number);
  }
  std::uint64_t token = 0;
  {
    MutexLock lock(mutex_);
    token = next_token_++;
  }
  Blocking completion;
  session_->ioctl(token, std::move(request), memory_, completion);
  IoctlReply reply = completion.wait();
  if (reply.new_fd) {
    MutexLock lock(mutex_);
    const int number = next_fd_++;
    fds_.emplace(number, std::move(reply.new_fd->object));
    const std::uint64_t number_at = reply.new_fd->number_at.value;
    std::memcpy(reinterpret_cast<void*>(number_at), &number,
                fd_field_bytes(command, _IOC_READ, number_at - at.value));
  }
  return reply.result;
}

Result<MmapTarget> LocalClient::mmap(std::uint64_t offset, std::uint64_t length, int protection) {
  return session_->mmap(offset, length, protection, Session::MapType::kShared);
}

FdObject LocalClient::object(int number) const {
  {
    MutexLock lock(mutex_);
    if (const auto it = fds_.find(number); it != fds_.end())
      return std::visit([](const auto& object) -> FdObject { return object; }, it->second);
  }
  driver::OwnedFd copy(::fcntl(number, F_DUPFD_CLOEXEC, 0));
  if (!copy) return BadFd{};
  if (is_eventfd(copy.get())) return EventFd{std::move(copy)};
  return ForeignFd{};
}

void LocalClient::close(int number) {
  MutexLock lock(mutex_);
  fds_.erase(number);
}

}  // namespace pantry::uapi
