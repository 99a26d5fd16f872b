// SPDX-License-Identifier: MIT
#include "uapi/session.h"

#include <drm/panthor_drm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "base/log.h"
#include "uapi/drm_abi.h"
#include "uapi/ioctl_call.h"
#include "uapi/ioctl_table.h"
#include "uapi/pending_ioctl.h"
#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

constexpr std::uint32_t kIn = _IOC_WRITE;  // the client writes it, the kernel reads it
constexpr std::uint32_t kOut = _IOC_READ;

// How many bytes of the client's argument are copied which way. Sizes are the caller's; the
// kernel's own struct may be smaller (the rest is carried along untouched) or larger (the rest
// reads as zero).
struct ArgumentSizes {
  std::size_t in = 0;
  std::size_t out = 0;
  std::size_t kernel = 0;
};
ArgumentSizes sizes_of(std::uint32_t request, const IoctlEntry& entry) {
  const std::size_t caller = _IOC_SIZE(request);
  const std::uint32_t both = _IOC_DIR(request) & _IOC_DIR(entry.command);
  ArgumentSizes sizes;
  sizes.in = (both & kIn) != 0 ? caller : 0;
  sizes.out = (both & kOut) != 0 ? caller : 0;
  sizes.kernel = std::max<std::size_t>({sizes.in, sizes.out, _IOC_SIZE(entry.command)});
  return sizes;
}

// The argument in kernel memory, zeroed; on the stack for every struct of the uAPI.
class ArgumentBuffer {
 public:
  explicit ArgumentBuffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes > sizeof(small_)) large_.reset(new (std::nothrow) std::uint64_t[(bytes + 7) / 8]());
  }
  // False: out of memory.
  explicit operator bool() const { return bytes_ <= sizeof(small_) || large_; }
  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(large_ ? large_.get() : small_.data()), bytes_};
  }

 private:
  std::size_t bytes_;
  std::array<std::uint64_t, 16> small_{};
  std::unique_ptr<std::uint64_t[]> large_;
};

Result<> permit(const IoctlEntry& entry, const Call& call) {
  if (entry.access == IoctlAccess::kAnyone) return {};
  const driver::File& file = call.file;
  if (file.node() == driver::NodeType::kRender)
    return reject(Errno::kAcces, "{}: not on a render node", entry.name);
  if (entry.access == IoctlAccess::kKnown && !file.is_authenticated())
    return reject(Errno::kAcces, "{}: for authenticated files only", entry.name);
  if ((entry.access == IoctlAccess::kMaster || entry.access == IoctlAccess::kRootMaster) &&
      !file.is_master())
    return reject(Errno::kAcces, "{}: for the DRM master only", entry.name);
  if (entry.access == IoctlAccess::kRootMaster && !call.credentials().sys_admin)
    return reject(Errno::kAcces, "{}: needs CAP_SYS_ADMIN", entry.name);
  return {};
}

// A call whose handler waits, until it goes on: all of it that does not live as long anyway.
class KeptCall {
 public:
  // `user_bytes` of the argument go back to the client.
  KeptCall(Call& call, std::size_t user_bytes)
      : argument_((call.argument.size() + 7) / 8),
        call_{call.file, call.features,      call.settings, call.memory, call.user_argument,
              {},        std::move(call.fd), std::nullopt,  std::nullopt},
        finish_(std::move(call.wait->finish)),
        user_bytes_(user_bytes) {
    std::memcpy(argument_.data(), call.argument.data(), call.argument.size());
    call_.argument = std::as_writable_bytes(std::span(argument_)).first(call.argument.size());
  }
  KeptCall(const KeptCall&) = delete;
  KeptCall& operator=(const KeptCall&) = delete;

  // The handler's second half, and the copy back.
  IoctlReply finish(Result<std::uint32_t> waited, const driver::SyncobjWait& wait) {
    Result<> result;
    try {
      result = finish_(call_, waited, wait);
    } catch (const std::bad_alloc&) {
      result = Error(Errno::kNoMem);
    }
    if (Result<> copied =
            call_.memory.write(call_.user_argument, call_.argument.data(), user_bytes_);
        !copied)
      result = Error(copied.error());
    return {result ? 0 : negated(result.error()), std::nullopt};
  }

 private:
  std::vector<std::uint64_t> argument_;
  Call call_;
  const decltype(PendingWait::finish) finish_;
  const std::size_t user_bytes_;
};

}  // namespace

std::optional<std::uint32_t> fd_field_offset(std::uint32_t command) {
  if (_IOC_TYPE(command) != DRM_IOCTL_BASE) return std::nullopt;
  switch (_IOC_NR(command)) {
    case _IOC_NR(DRM_IOCTL_PRIME_FD_TO_HANDLE):
      return offsetof(drm_prime_handle, fd);
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE):
      return offsetof(drm_syncobj_handle, fd);
    case 0xCF:
      return offsetof(DrmSyncobjEventfd, fd);
    default:
      return std::nullopt;
  }
}

struct Session::State {
  State(driver::Device& device_, const Features& features_, driver::NodeType node,
        const driver::Credentials& credentials, Ref<driver::Account> account)
      : device(device_),
        features(features_),
        settings{DRM_PANTHOR_USER_MMIO_OFFSET_64BIT},
        file(device_, node, credentials, std::move(account)),
        pending(device_.executor()) {}

  driver::Device& device;
  const Features features;
  FileSettings settings;
  driver::File file;
  PendingIoctls pending;  // gone before the file
};

Session::Session(driver::Device& device, const Features& features, driver::NodeType node,
                 const driver::Credentials& credentials, Ref<driver::Account> account)
    : state_(std::make_unique<State>(device, features, node, credentials, std::move(account))) {}

Session::~Session() = default;

const Features& Session::features() const { return state_->features; }
driver::File& Session::file() { return state_->file; }

void Session::ioctl(std::uint64_t token, IoctlRequest request, UserMemory& memory,
                    IoctlCompletion& completion) {
  auto fail = [&](Errno error) { completion.on_ioctl_done({negated(error), std::nullopt}); };
  if (state_->device.unplugged()) return fail(Errno::kNoDev);
  if (_IOC_TYPE(request.command) != DRM_IOCTL_BASE) return fail(Errno::kNoTty);
  const IoctlEntry* entry = find_ioctl(request.command, state_->features);
  if (!entry) {
    log_client("uapi", "ioctl {:#x}: unknown number at uAPI 1.{}", request.command,
               state_->features.minor);
    return fail(Errno::kInval);
  }
  const ArgumentSizes sizes = sizes_of(request.command, *entry);
  ArgumentBuffer argument(sizes.kernel);
  if (!argument) return fail(Errno::kNoMem);
  if (!memory.read(request.argument, argument.bytes().data(), sizes.in)) {
    log_client("uapi", "{}: the argument at {:#x} cannot be read", entry->name,
               request.argument.value);
    return fail(Errno::kFault);
  }

  Call call{state_->file,     state_->features, state_->settings,      memory,
            request.argument, argument.bytes(), std::move(request.fd), std::nullopt,
            std::nullopt,     request.caller};
  Result<> result = permit(*entry, call);
  try {
    if (result) result = entry->handler(call);
    if (result && call.wait) {
      if (auto charge = state_->file.account().charge(driver::Resource::kFences, 1)) {
        // Shared only because a std::function can be copied.
        auto kept = std::make_shared<KeptCall>(call, sizes.out);
        state_->pending.start(std::make_unique<PendingIoctl>(
            state_->pending, token, std::move(call.wait->args),
            [kept = std::move(kept)](Result<std::uint32_t> waited,
                                     const driver::SyncobjWait& wait) {
              return kept->finish(waited, wait);
            },
            completion, *std::move(charge)));
        return;
      } else {
        result = Error(charge.error());
      }
    }
  } catch (const std::bad_alloc&) {
    result = Error(Errno::kNoMem);
    call.new_fd.reset();
  }
  if (!result && result.error() == Errno::kNoMem)
    log_info("uapi", "{}: out of memory", entry->name);
  IoctlReply reply{result ? 0 : negated(result.error()), std::move(call.new_fd)};
  // Also on failure, as the DRM core does.
  if (!memory.write(request.argument, argument.bytes().data(), sizes.out)) {
    reply.result = negated(Errno::kFault);
    reply.new_fd.reset();
  }
  completion.on_ioctl_done(std::move(reply));
}

void Session::cancel(std::uint64_t token) { state_->pending.cancel(token); }

Result<MmapTarget> Session::mmap(std::uint64_t offset, std::uint64_t length, int protection,
                                 MapType type) {
  if (state_->device.unplugged()) return Error(Errno::kNoDev);
  const std::uint64_t pages = align_up(length, kPageSize);
  const std::uint64_t mmio = state_->settings.user_mmio_offset.load(std::memory_order_relaxed);
  if (offset >= mmio) {
    if (offset != mmio || pages != kPageSize)
      return reject(Errno::kInval,
                    "mmap: {:#x} bytes at MMIO offset {:#x}; only the flush id page exists", length,
                    offset - mmio);
    if (type == MapType::kPrivate || (protection & (PROT_WRITE | PROT_EXEC)) != 0)
      return reject(Errno::kInval, "mmap: the flush id page is shared and read-only");
    return MmapTarget{nullptr, kPageSize};
  }
  Ref<driver::Buffer> buffer = state_->device.buffers().find_by_mmap_offset(offset);
  if (!buffer) return reject(Errno::kInval, "mmap: no buffer has offset {:#x}", offset);
  if (pages > buffer->size())
    return reject(Errno::kInval, "mmap: {:#x} bytes of a buffer of {:#x}", length, buffer->size());
  if (!state_->file.owns(*buffer))
    return reject(Errno::kAcces, "mmap: offset {:#x} is another client's", offset);
  if ((buffer->create_flags() & DRM_PANTHOR_BO_NO_MMAP) != 0)
    return reject(Errno::kInval, "mmap: the buffer was created NO_MMAP");
  if (type == MapType::kPrivate) return reject(Errno::kInval, "mmap: MAP_PRIVATE of a buffer");
  const std::uint64_t size = buffer->size();
  return MmapTarget{std::move(buffer), size};
}

}  // namespace pantry::uapi
