// SPDX-License-Identifier: MIT
#include "uapi/syncobj_lookup.h"

#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

// What kmalloc gives: past that, an array of handles, of points or of syncobjs is ENOMEM in the DRM
// core.
constexpr std::uint64_t kLargestArray = 4ull << 20;

template <class Element>
Result<> check_count(std::uint32_t count) {
  if (std::uint64_t{count} * sizeof(Element) <= kLargestArray) return {};
  return reject(Errno::kNoMem, "{} syncobjs in one call", count);
}

}  // namespace

Result<std::vector<Ref<driver::Syncobj>>> find_syncobjs(Call& call, UserAddr handles,
                                                        std::uint32_t count) {
  PANTRY_TRY(check_count<std::uint32_t>(count));
  PANTRY_TRY_ASSIGN(const std::vector<std::uint32_t> numbers,
                    read_array<std::uint32_t>(call.memory, {sizeof(std::uint32_t), count, handles},
                                              sizeof(std::uint32_t)));
  // Those that fit, and whose syncobjs would not, are read before that shows.
  PANTRY_TRY(check_count<std::uint64_t>(count));
  try {
    std::vector<Ref<driver::Syncobj>> syncobjs;
    syncobjs.reserve(numbers.size());
    for (const std::uint32_t handle : numbers) {
      Ref<driver::Syncobj> syncobj = call.file.syncobj(handle);
      if (!syncobj) return reject(Errno::kNoEnt, "syncobj {} is unknown", handle);
      syncobjs.push_back(std::move(syncobj));
    }
    return syncobjs;
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

Result<std::vector<std::uint64_t>> read_points(Call& call, UserAddr points, std::uint32_t count,
                                               NullPoints null) {
  PANTRY_TRY(check_count<std::uint64_t>(count));
  if (!points && null == NullPoints::kAreZero) {
    try {
      return std::vector<std::uint64_t>(count, 0);
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
  }
  return read_array<std::uint64_t>(call.memory, {sizeof(std::uint64_t), count, points},
                                   sizeof(std::uint64_t));
}

}  // namespace pantry::uapi
