// SPDX-License-Identifier: MIT
#include "uapi/sw_sync_ioctls.h"

#include <cstddef>
#include <new>

#include "base/log.h"

namespace pantry::uapi {
namespace {

constexpr std::uint32_t kType = 'W';

Result<NewFd> create_fence(driver::Device& device, driver::SwTimeline& timeline, UserAddr argument,
                           UserMemory& memory) {
  PANTRY_TRY_ASSIGN(SwSyncCreateFence data, memory.get<SwSyncCreateFence>(argument));
  PANTRY_TRY_ASSIGN(Ref<driver::Fence> fence,
                    timeline.fence(data.value, device.cleanup(), device.executor().clock().now()));
  PANTRY_TRY_ASSIGN(Ref<driver::SyncFile> file, driver::SyncFile::create(std::move(fence)));
  // What the transport will write; so that a bad pointer leaves no descriptor behind.
  data.fence = -1;
  PANTRY_TRY(memory.put(argument, data));
  return NewFd{std::move(file), argument + offsetof(SwSyncCreateFence, fence),
               NewFd::OnExec::kClose};
}

}  // namespace

IoctlReply sw_sync_ioctl(driver::Device& device, driver::SwTimeline& timeline,
                         std::uint32_t command, UserAddr argument, UserMemory& memory) {
  try {
    if (command == kSwSyncCreateFence) {
      auto made = create_fence(device, timeline, argument, memory);
      if (!made) return {negated(made.error()), std::nullopt};
      return {0, *std::move(made)};
    }
    if (command == kSwSyncInc) {
      const auto by = memory.get<std::uint32_t>(argument);
      if (!by) return {negated(by.error()), std::nullopt};
      timeline.advance(*by, device.cleanup(), device.executor().clock().now());
      return {0, std::nullopt};
    }
  } catch (const std::bad_alloc&) {
    return {negated(Errno::kNoMem), std::nullopt};
  }
  if (_IOC_TYPE(command) == kType) log_gap("uapi", "sw_sync ioctl {:#x} is not emulated", command);
  return {negated(Errno::kNoTty), std::nullopt};
}

}  // namespace pantry::uapi
