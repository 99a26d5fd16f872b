// SPDX-License-Identifier: MIT
#include "uapi/sync_file_ioctls.h"

#include <linux/sync_file.h>

#include <cstddef>
#include <cstring>
#include <new>

#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

template <std::size_t N>
void put_name(char (&to)[N], std::string_view from) {
  std::memset(to, 0, N);
  std::memcpy(to, from.data(), std::min(from.size(), N - 1));
}

Result<> file_info(const driver::SyncFile& file, UserAddr argument, UserMemory& memory) {
  PANTRY_TRY_ASSIGN(sync_file_info info, memory.get<sync_file_info>(argument));
  if (info.flags != 0 || info.pad != 0)
    return reject(Errno::kInval, "SYNC_IOC_FILE_INFO: flags {:#x}, pad {:#x}", info.flags,
                  info.pad);
  put_name(info.name, file.name());
  PANTRY_TRY_ASSIGN(const driver::SyncFile::Info inside, file.info());
  if (info.num_fences == 0) {
    // Linux asks the outer fence only; that of a timeline point carries no error.
    info.status = file.status();
  } else {
    if (info.num_fences < inside.fences.size())
      return reject(Errno::kInval, "SYNC_IOC_FILE_INFO: room for {} of {} fences", info.num_fences,
                    inside.fences.size());
    info.status = inside.status;
    for (std::size_t i = 0; i < inside.fences.size(); ++i) {
      sync_fence_info fence{};
      put_name(fence.obj_name, inside.fences[i].timeline_name);
      put_name(fence.driver_name, inside.fences[i].driver_name);
      fence.status = inside.fences[i].status;
      fence.timestamp_ns = static_cast<std::uint64_t>(inside.fences[i].timestamp.ns);
      PANTRY_TRY(memory.put(UserAddr{info.sync_fence_info} + i * sizeof fence, fence));
    }
  }
  info.num_fences = static_cast<std::uint32_t>(inside.fences.size());
  return memory.put(argument, info);
}

Result<NewFd> merge(const driver::SyncFile& file, UserAddr argument, UserMemory& memory,
                    const FdObject& second) {
  PANTRY_TRY_ASSIGN(sync_merge_data data, memory.get<sync_merge_data>(argument));
  if (data.flags != 0 || data.pad != 0)
    return reject(Errno::kInval, "SYNC_IOC_MERGE: flags {:#x}, pad {:#x}", data.flags, data.pad);
  const auto* other = std::get_if<Ref<driver::SyncFile>>(&second);
  if (!other)
    return reject(Errno::kNoEnt, "SYNC_IOC_MERGE: descriptor {} is not a sync_file", data.fd2);
  const std::string_view name(data.name, ::strnlen(data.name, sizeof data.name - 1));
  PANTRY_TRY_ASSIGN(Ref<driver::SyncFile> merged, driver::SyncFile::merge(name, file, **other));
  return NewFd{std::move(merged), argument + offsetof(sync_merge_data, fence),
               NewFd::OnExec::kClose};
}

// A hint to the fence's driver, which Panthor does not take.
Result<> set_deadline(UserAddr argument, UserMemory& memory) {
  PANTRY_TRY_ASSIGN(const SyncSetDeadline deadline, memory.get<SyncSetDeadline>(argument));
  if (deadline.pad != 0)
    return reject(Errno::kInval, "SYNC_IOC_SET_DEADLINE: pad is {:#x}", deadline.pad);
  return {};
}

int result_of(const Result<>& done) { return done ? 0 : negated(done.error()); }

}  // namespace

IoctlReply sync_file_ioctl(driver::SyncFile& file, std::uint32_t command, UserAddr argument,
                           UserMemory& memory, const FdObject& fd) {
  try {
    if (command == SYNC_IOC_FILE_INFO)
      return {result_of(file_info(file, argument, memory)), std::nullopt};
    if (command == kSyncSetDeadline)
      return {result_of(set_deadline(argument, memory)), std::nullopt};
    if (command == SYNC_IOC_MERGE) {
      auto made = merge(file, argument, memory, fd);
      if (!made) return {negated(made.error()), std::nullopt};
      return {0, *std::move(made)};
    }
  } catch (const std::bad_alloc&) {
    return {negated(Errno::kNoMem), std::nullopt};
  }
  return {negated(Errno::kNoTty), std::nullopt};
}

}  // namespace pantry::uapi
