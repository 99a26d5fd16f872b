// SPDX-License-Identifier: MIT
#include "driver/sync/sync_file.h"

#include <fmt/core.h>

#include <new>

#include "driver/sync/fence_merge.h"

namespace pantry::driver {
namespace {

constexpr std::size_t kNameLength = 31;

}  // namespace

Result<Ref<SyncFile>> SyncFile::create(Ref<Fence> fence) {
  try {
    return Ref<SyncFile>::adopt(new SyncFile(std::move(fence), {}));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

Result<Ref<SyncFile>> SyncFile::merge(std::string_view name, const SyncFile& a, const SyncFile& b) {
  const Ref<Fence> both[] = {a.fence_, b.fence_};
  PANTRY_TRY_ASSIGN(Ref<Fence> merged, driver::merge(both));
  try {
    return Ref<SyncFile>::adopt(new SyncFile(std::move(merged), name.substr(0, kNameLength)));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

std::string SyncFile::name() const {
  if (!name_.empty()) return name_;
  return fmt::format("{}-{}{}-{}", fence_->driver_name(), fence_->timeline_name(),
                     fence_->context(), static_cast<std::int64_t>(fence_->seqno()))
      .substr(0, kNameLength);
}

Result<SyncFile::Info> SyncFile::info() const {
  PANTRY_TRY_ASSIGN(const std::vector<Ref<Fence>> fences, leaves(fence_));
  try {
    Info info;
    info.fences.reserve(fences.size());
    for (const Ref<Fence>& fence : fences) {
      const int status = fence->status();
      info.fences.push_back({fence->driver_name(), fence->timeline_name(), status,
                             status != 0 ? fence->timestamp() : TimePoint{}});
      if (info.status > 0) info.status = status;
    }
    return info;
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

}  // namespace pantry::driver
