// SPDX-License-Identifier: MIT
//
// Steps of VM_BIND.
#include "campaigns/clients/history.h"

#include <algorithm>
#include <vector>

#include "campaigns/clients/history_layout.h"
#include "igt_tests/lib/syncobj.h"

using namespace gpu;
using namespace history;

drm_panthor_vm_bind_op History::random_op(Dice& dice) {
  drm_panthor_vm_bind_op op{};
  const auto kind = dice.roll(20);
  op.flags = kind < 12 ? kMap : kind < 18 ? kUnmap : kind < 19 ? kSyncOnly : 3u << 28;
  const uint64_t unit = dice.one_in(4) ? kBlock : kPage;
  const uint64_t slots = kWindowBytes / unit;
  const uint64_t first = dice.roll(slots);
  op.va = kWindowVa + first * unit;
  op.size = (1 + dice.roll(std::min<uint64_t>(slots - first, dice.one_in(3) ? 700 : 5))) * unit;
  if (op.flags == kMap) {
    const Buffer& buffer = buffers_[dice.roll(buffers_.size())];
    op.bo_handle = dice.one_in(15) ? static_cast<uint32_t>(dice.roll(9)) : buffer.handle;
    if (buffer.size != 0 && !dice.one_in(12)) {
      op.size = std::min<uint64_t>(op.size, buffer.size);
      op.bo_offset = dice.roll((buffer.size - op.size) / kPage + 1) * kPage;
    } else {
      op.bo_offset = dice.roll(600) * kPage;
    }
    if (dice.one_in(5)) op.flags |= kReadOnly;
    if (dice.one_in(5)) op.flags |= kNoExec;
    if (dice.one_in(8)) op.flags |= kUncached;
  } else if (dice.one_in(12)) {
    op.bo_handle = 1;
    op.bo_offset = kPage;
  }
  if (dice.one_in(40)) op.flags |= 1u << dice.roll(28);
  if (dice.one_in(40))
    op.va += dice.pick({uint64_t{1}, kPage / 2, uint64_t{1} << 47, ~uint64_t{0} - kPage});
  if (dice.one_in(40))
    op.size = dice.pick(
        {uint64_t{0}, uint64_t{1}, kPage / 2, uint64_t{1} << 48, ~uint64_t{0} & ~(kPage - 1)});
  if (dice.one_in(40))
    op.bo_offset += dice.pick({uint64_t{1}, ~uint64_t{0} - kPage + 1, uint64_t{1} << 40});
  return op;
}

std::vector<drm_panthor_vm_bind_op> History::random_ops(Dice& dice) {
  std::vector<drm_panthor_vm_bind_op> ops;
  for (auto more = 1 + dice.roll(3); more != 0; --more) ops.push_back(random_op(dice));
  return ops;
}

void History::bind_sync_step(Dice& dice, uint32_t number) {
  std::vector<drm_panthor_vm_bind_op> ops = random_ops(dice);
  std::vector<drm_panthor_sync_op> syncs;
  if (dice.one_in(20)) {
    syncs.push_back(random_sync(dice, number));
    ops[0].syncs = array_of(syncs);
  }
  drm_panthor_vm_bind request{space_id(dice), dice.one_in(40) ? 2u : 0u, array_of(ops)};
  tell_ops(ops);
  tell("vm=%u flags=%u", request.vm_id, request.flags);
  call("VM_BIND", DRM_IOCTL_PANTHOR_VM_BIND, &request);
  tell("count=%u", request.ops.count);
}

void History::bind_async_step(Dice& dice, uint32_t number) {
  std::vector<drm_panthor_vm_bind_op> ops = random_ops(dice);
  const drm_panthor_sync_op done = signal_of_its_own();
  std::vector<drm_panthor_sync_op> last{done};
  if (dice.one_in(3)) last.push_back(random_sync(dice, number));
  ops.back().syncs = array_of(last);
  std::vector<drm_panthor_sync_op> first;
  if (ops.size() > 1 && dice.one_in(3)) {
    first.push_back(random_sync(dice, number));
    ops.front().syncs = array_of(first);
  }
  drm_panthor_vm_bind request{space_id(dice), DRM_PANTHOR_VM_BIND_ASYNC, array_of(ops)};
  tell_ops(ops);
  tell_syncs(first);
  tell_syncs(last);
  tell("vm=%u", request.vm_id);
  if (call("VM_BIND async", DRM_IOCTL_PANTHOR_VM_BIND, &request) == 0)
    tell("fence=%d", finish(done.handle));
  tell("count=%u", request.ops.count);
  drmSyncobjDestroy(device_.fd(), done.handle);
}

void History::tell_ops(const std::vector<drm_panthor_vm_bind_op>& ops) {
  for (const auto& op : ops)
    tell("[%#x bo=%u+%#llx va=%#llx size=%#llx]", op.flags, op.bo_handle,
         static_cast<unsigned long long>(op.bo_offset), static_cast<unsigned long long>(op.va),
         static_cast<unsigned long long>(op.size));
}
