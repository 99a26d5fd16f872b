// SPDX-License-Identifier: MIT
#include "driver/sync/fence_merge.h"

#include <algorithm>
#include <new>

#include "driver/sync/fence_array.h"
#include "driver/sync/fence_chain.h"

namespace pantry::driver {
namespace {

// Throws bad_alloc.
void append_leaves(const Ref<Fence>& fence, std::vector<Ref<Fence>>& leaves) PANTRY_MAY_ALLOCATE {
  for (Ref<Fence> point = fence; point;) {
    FenceChain* const chain = FenceChain::of(point.get());
    const Ref<Fence> content = chain ? chain->contained() : point;
    if (const auto* const array = dynamic_cast<const FenceArray*>(content.get()))
      leaves.insert(leaves.end(), array->fences().begin(), array->fences().end());
    else
      leaves.push_back(content);
    point = chain ? chain->previous() : nullptr;
  }
}

}  // namespace

Result<std::vector<Ref<Fence>>> leaves(const Ref<Fence>& fence) {
  try {
    std::vector<Ref<Fence>> result;
    append_leaves(fence, result);
    return result;
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

Result<Ref<Fence>> merge(std::span<const Ref<Fence>> fences) {
  try {
    std::vector<Ref<Fence>> pending;
    for (const Ref<Fence>& fence : fences) append_leaves(fence, pending);
    TimePoint latest;
    std::erase_if(pending, [&](const Ref<Fence>& fence) {
      if (!fence->signalled()) return false;
      latest = std::max(latest, fence->timestamp());
      return true;
    });
    if (pending.empty()) return stub_fence_at(latest);
    std::ranges::sort(pending, [](const Ref<Fence>& a, const Ref<Fence>& b) {
      return a->context() != b->context() ? a->context() < b->context() : a->seqno() > b->seqno();
    });
    const auto repeated =
        std::ranges::unique(pending, {}, [](const Ref<Fence>& fence) { return fence->context(); });
    pending.erase(repeated.begin(), repeated.end());
    if (pending.size() == 1) return pending.front();
    return FenceArray::create(std::move(pending));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

}  // namespace pantry::driver
