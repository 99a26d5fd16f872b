// SPDX-License-Identifier: MIT
//
// A client in this process whose memory is a few pages of its own at a made-up address, so that
// whatever pointer it passes, nothing but them is read or written; and they may change between two
// reads. Blocks where a real one would block in the kernel.
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>

#include <array>
#include <optional>
#include <vector>

#include "base/check.h"
#include "fuzz/ioctl_layout.h"
#include "uapi/dma_buf_ioctls.h"
#include "uapi/machine/machine.h"

namespace pantry::fuzz {

class ClientMemory final : public uapi::UserMemory {
 public:
  static constexpr std::uint64_t kAddress = 0x7100'0000'0000;
  static constexpr std::size_t kBytes = 48 * 1024;

  Result<> read(uapi::UserAddr from, void* to, std::size_t bytes) override {
    if (bytes == 0) return {};
    if (!holds(from, bytes)) return Error(Errno::kFault);
    std::uint8_t* const at = bytes_.data() + (from.value - kAddress);
    std::memcpy(to, at, bytes);
    // Another thread of the client's writes just now.
    if (change_after_ != 0 && --change_after_ == 0)
      for (std::size_t n = 0; n < std::min<std::size_t>(bytes, 8); ++n)
        at[n] ^= static_cast<std::uint8_t>(change_ >> 8 * n);
    return {};
  }
  Result<> write(uapi::UserAddr to, const void* from, std::size_t bytes) override {
    if (bytes == 0) return {};
    if (!holds(to, bytes)) return Error(Errno::kFault);
    std::memcpy(bytes_.data() + (to.value - kAddress), from, bytes);
    return {};
  }
  // After so many more reads, what was read is XORed. 0: never.
  void change(std::uint8_t after, std::uint64_t how) {
    change_after_ = after;
    change_ = how;
  }
  std::span<std::uint8_t> bytes() { return bytes_; }

 private:
  static bool holds(uapi::UserAddr at, std::size_t bytes) {
    return at.value >= kAddress && at.value - kAddress <= kBytes &&
           bytes <= kBytes - (at.value - kAddress);
  }
  std::array<std::uint8_t, kBytes> bytes_{};
  std::uint8_t change_after_ = 0;
  std::uint64_t change_ = 0;
};

// The descriptors that clients have from ioctls and pass to each other. Numbers from kFirstFd; the
// highest three are an eventfd, a file of somebody else's, and not open.
class Descriptors {
 public:
  static constexpr std::int32_t kEventfd = kFirstFd + 253, kForeign = kFirstFd + 254;
  using Object = decltype(uapi::NewFd::object);

  Descriptors() : eventfd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { PANTRY_CHECK(eventfd_); }
  std::int32_t add(Object object) {
    objects_.push_back(std::move(object));
    return kFirstFd + static_cast<std::int32_t>(objects_.size()) - 1;
  }
  const Object* find(std::int32_t number) const {
    const auto index = static_cast<std::size_t>(std::int64_t{number} - kFirstFd);
    return number >= kFirstFd && index < objects_.size() && objects_[index] ? &*objects_[index]
                                                                            : nullptr;
  }
  uapi::FdObject as_argument(std::int32_t number) const {
    if (const Object* object = find(number))
      return std::visit([](const auto& known) -> uapi::FdObject { return known; }, *object);
    if (number == kEventfd)
      return uapi::EventFd{driver::OwnedFd(::fcntl(eventfd_.get(), F_DUPFD_CLOEXEC, 0))};
    if (number == kForeign) return uapi::ForeignFd{};
    return uapi::BadFd{};
  }
  void close(std::int32_t number) {
    if (find(number)) objects_[static_cast<std::size_t>(number - kFirstFd)].reset();
  }

 private:
  const driver::OwnedFd eventfd_;
  std::vector<std::optional<Object>> objects_;
};

class SessionClient {
 public:
  // `first_token`: calls of the same session by another client have others.
  SessionClient(uapi::Session& session, Descriptors& descriptors, std::uint64_t first_token)
      : session_(session), descriptors_(descriptors), next_token_(first_token) {}

  ClientMemory& memory() { return memory_; }

  int ioctl(std::uint32_t command, std::uint64_t argument) {
    uapi::IoctlRequest request{command, {argument}, uapi::BadFd{}};
    if (const auto offset = uapi::fd_field_offset(command)) {
      const auto number = memory_.get<std::int32_t>(request.argument + *offset);
      if (number) request.fd = descriptors_.as_argument(*number);
    }
    Blocking completion;
    session_.ioctl(next_token_++, std::move(request), memory_, completion);
    return take(completion.wait());
  }
  // Of a sync_file or dma-buf.
  int ioctl_on(std::int32_t number, std::uint32_t command, uapi::UserAddr argument) {
    const Descriptors::Object* const object = descriptors_.find(number);
    if (!object) return -EBADF;
    uapi::FdObject fd = uapi::BadFd{};
    const std::uint64_t offset = command == SYNC_IOC_MERGE ? 32 : 4;
    if (const auto second = memory_.get<std::int32_t>(argument + offset))
      fd = descriptors_.as_argument(*second);
    if (const auto* file = std::get_if<Ref<driver::SyncFile>>(object)) {
      const Ref<driver::SyncFile> held = *file;
      return take(uapi::sync_file_ioctl(*held, command, argument, memory_, fd));
    }
    if (const auto* buffer = std::get_if<Ref<driver::Buffer>>(object)) {
      const Ref<driver::Buffer> held = *buffer;
      return take(uapi::dma_buf_ioctl(*held, command, argument, memory_, fd));
    }
    return -ENOTTY;
  }
  int take(uapi::IoctlReply reply) {
    PANTRY_CHECK(reply.result <= 0 && reply.result > -4096);
    if (reply.new_fd) {
      PANTRY_CHECK(reply.result == 0);
      const std::int32_t number = descriptors_.add(std::move(reply.new_fd->object));
      // The memory may be gone by now; then the client has a descriptor that it does not know.
      (void)memory_.put(reply.new_fd->number_at, number);
    }
    return reply.result;
  }

 private:
  class Blocking final : public uapi::IoctlCompletion {
   public:
    void on_ioctl_done(uapi::IoctlReply reply) override {
      MutexLock lock(mutex_);
      PANTRY_CHECK(!reply_);
      reply_ = std::move(reply);
      done_.notify_all();
    }
    uapi::IoctlReply wait() {
      MutexLock lock(mutex_);
      while (!reply_) done_.wait(mutex_);
      return *std::move(reply_);
    }

   private:
    Mutex mutex_;
    CondVar done_;
    std::optional<uapi::IoctlReply> reply_ PANTRY_GUARDED_BY(mutex_);
  };

  uapi::Session& session_;
  Descriptors& descriptors_;
  ClientMemory memory_;
  std::uint64_t next_token_;
};

}  // namespace pantry::fuzz
