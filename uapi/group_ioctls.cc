// SPDX-License-Identifier: MIT
//
// GROUP_CREATE, GROUP_DESTROY, GROUP_SUBMIT, GROUP_GET_STATE: panthor-uapi.md A.6 to A.8.
#include <drm/panthor_drm.h>

#include <bit>

#include "uapi/group_priority.h"
#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"
#include "uapi/sync_ops.h"

namespace pantry::uapi {
namespace {

constexpr std::uint32_t kMostQueuesNamed = 32;
constexpr std::uint32_t kLatestFlushReserved = 0x7f000000;

Result<driver::GroupPriority> priority_of(Call& call, std::uint8_t wanted) {
  const std::uint8_t highest = call.features.realtime_priority ? PANTHOR_GROUP_PRIORITY_REALTIME
                                                               : PANTHOR_GROUP_PRIORITY_HIGH;
  if (wanted > highest)
    return reject(Errno::kInval, "GROUP_CREATE: priority {} is unknown", wanted);
  if (!may_use_priority(call, wanted))
    return reject(Errno::kAcces, "GROUP_CREATE: priority {} needs CAP_SYS_NICE or DRM master",
                  wanted);
  return static_cast<driver::GroupPriority>(wanted);
}

Result<> check_masks(const drm_panthor_group_create& args, const driver::GpuInfo& gpu) {
  if ((args.compute_core_mask & ~gpu.shader_present) != 0 ||
      (args.fragment_core_mask & ~gpu.shader_present) != 0 ||
      (args.tiler_core_mask & ~gpu.tiler_present) != 0)
    return reject(Errno::kInval,
                  "GROUP_CREATE: a core mask names cores that the GPU does not have");
  if (std::popcount(args.compute_core_mask) < args.max_compute_cores ||
      std::popcount(args.fragment_core_mask) < args.max_fragment_cores ||
      std::popcount(args.tiler_core_mask) < args.max_tiler_cores)
    return reject(Errno::kInval, "GROUP_CREATE: a core mask has fewer cores than its max_*");
  return {};
}

Result<> check_submit(const drm_panthor_queue_submit& submit) {
  if (submit.pad != 0) return reject(Errno::kInval, "GROUP_SUBMIT: pad is {:#x}", submit.pad);
  if ((submit.stream_size == 0) != (submit.stream_addr == 0))
    return reject(Errno::kInval,
                  "GROUP_SUBMIT: stream {:#x} of {} bytes: both must be zero or neither",
                  submit.stream_addr, submit.stream_size);
  if (submit.stream_addr % 64 != 0 || submit.stream_size % 8 != 0)
    return reject(Errno::kInval,
                  "GROUP_SUBMIT: stream {:#x} of {} bytes is not aligned to 64 and 8",
                  submit.stream_addr, submit.stream_size);
  if ((submit.latest_flush & kLatestFlushReserved) != 0)
    return reject(Errno::kInval, "GROUP_SUBMIT: latest_flush {:#x} has bits 30:24 set",
                  submit.latest_flush);
  return {};
}

}  // namespace

Result<> group_create(Call& call) {
  auto& args = call.arg<drm_panthor_group_create>();
  if (args.queues.count == 0 || args.queues.count > kMostQueuesNamed)
    return reject(Errno::kInval, "GROUP_CREATE: {} queues", args.queues.count);
  PANTRY_TRY_ASSIGN(
      const std::vector<drm_panthor_queue_create> queues,
      read_array<drm_panthor_queue_create>(
          call.memory, {args.queues.stride, args.queues.count, {args.queues.array}}, 8));

  driver::GroupArgs group;
  PANTRY_TRY_ASSIGN(group.priority, priority_of(call, args.priority));
  if (args.pad != 0) return reject(Errno::kInval, "GROUP_CREATE: pad is {:#x}", args.pad);
  PANTRY_TRY(check_masks(args, call.file.device().gpu_info()));
  if (queues.size() > call.file.device().csif_info().cs_slot_count)
    return reject(Errno::kInval, "GROUP_CREATE: {} queues, the GPU has {} per group", queues.size(),
                  call.file.device().csif_info().cs_slot_count);
  Ref<driver::Vm> vm = call.file.vm(args.vm_id);
  if (!vm) return reject(Errno::kInval, "GROUP_CREATE: VM {} is unknown", args.vm_id);
  for (const drm_panthor_queue_create& queue : queues) {
    if (queue.pad[0] != 0 || queue.pad[1] != 0 || queue.pad[2] != 0)
      return reject(Errno::kInval, "GROUP_CREATE: the pad of a queue is not zero");
    group.queues.push_back({queue.priority, queue.ringbuf_size});
  }
  group.max_compute_cores = args.max_compute_cores;
  group.max_fragment_cores = args.max_fragment_cores;
  group.max_tiler_cores = args.max_tiler_cores;
  group.compute_core_mask = args.compute_core_mask;
  group.fragment_core_mask = args.fragment_core_mask;
  group.tiler_core_mask = args.tiler_core_mask;
  group.usage = call.file.usage();

  PANTRY_TRY_ASSIGN(Ref<driver::Group> created,
                    call.file.device().scheduler().create_group(std::move(vm), group));
  PANTRY_TRY_ASSIGN(args.group_handle, call.file.add_group(std::move(created)));
  return {};
}

Result<> group_destroy(Call& call) {
  const auto& args = call.arg<drm_panthor_group_destroy>();
  if (args.pad != 0) return reject(Errno::kInval, "GROUP_DESTROY: pad is {:#x}", args.pad);
  return call.file.destroy_group(args.group_handle);
}

Result<> group_get_state(Call& call) {
  auto& args = call.arg<drm_panthor_group_get_state>();
  if (args.pad != 0) return reject(Errno::kInval, "GROUP_GET_STATE: pad is {:#x}", args.pad);
  const Ref<driver::Group> group = call.file.group(args.group_handle);
  if (!group)
    return reject(Errno::kInval, "GROUP_GET_STATE: group {:#x} is unknown", args.group_handle);
  const driver::GroupState state = group->state();
  args = {};  // the handle reads back 0, as in Linux
  if (state.timed_out) args.state |= DRM_PANTHOR_GROUP_STATE_TIMEDOUT;
  if (state.fatal_queues != 0) args.state |= DRM_PANTHOR_GROUP_STATE_FATAL_FAULT;
  if (state.innocent && call.features.group_innocent)
    args.state |= DRM_PANTHOR_GROUP_STATE_INNOCENT;
  args.fatal_queues = state.fatal_queues;
  return {};
}

Result<> group_submit(Call& call) {
  const auto& args = call.arg<drm_panthor_group_submit>();
  if (args.pad != 0) return reject(Errno::kInval, "GROUP_SUBMIT: pad is {:#x}", args.pad);
  std::uint64_t budget = kLargestArrays;
  PANTRY_TRY_ASSIGN(
      const std::vector<drm_panthor_queue_submit> submits,
      read_array<drm_panthor_queue_submit>(
          call.memory,
          {args.queue_submits.stride, args.queue_submits.count, {args.queue_submits.array}}, 40,
          budget));
  if (submits.empty()) return {};

  struct Member {
    std::uint32_t queue;
    Ref<driver::Job> job;
  };
  std::vector<Member> members;
  members.reserve(submits.size());
  SyncBatch batch(call.file);
  // Linux looks the group up per element, by the low 16 bits of the handle.
  Ref<driver::Group> group;
  for (const drm_panthor_queue_submit& submit : submits) {
    PANTRY_TRY(check_submit(submit));
    if (!group) group = call.file.group(args.group_handle & 0xffff);
    if (!group)
      return reject(Errno::kInval, "GROUP_SUBMIT: group {:#x} is unknown", args.group_handle);
    if (!group->can_run())
      return reject(Errno::kInval, "GROUP_SUBMIT: group {:#x} can no longer run",
                    args.group_handle);
    if (submit.queue_index >= group->queue_count())
      return reject(Errno::kInval, "GROUP_SUBMIT: queue {} of a group with {}", submit.queue_index,
                    group->queue_count());
    PANTRY_TRY_ASSIGN(driver::Charge charge,
                      call.file.account().charge(driver::Resource::kJobs, 1));
    PANTRY_TRY_ASSIGN(Ref<driver::Job> job,
                      group->prepare_job(submit.queue_index, GpuVa{submit.stream_addr},
                                         submit.stream_size, submit.latest_flush));
    job->keep(std::move(charge));
    PANTRY_TRY_ASSIGN(
        const std::vector<drm_panthor_sync_op> syncs,
        read_array<drm_panthor_sync_op>(
            call.memory, {submit.syncs.stride, submit.syncs.count, {submit.syncs.array}}, 16,
            budget));
    PANTRY_TRY(batch.add(job, syncs));
    members.push_back({submit.queue_index, std::move(job)});
  }
  // Until the fences are where an eviction looks for them.
  PANTRY_TRY_ASSIGN(const driver::Residency resident, group->vm().make_resident());
  PANTRY_TRY_ASSIGN(driver::FenceRooms rooms,
                    group->vm().reserve_fences(static_cast<std::uint32_t>(members.size())));
  PANTRY_TRY(batch.prepare());
  for (Member& member : members) {
    rooms.add(member.job->done());
    group->push(member.queue, std::move(member.job));
  }
  batch.publish();
  return {};
}

}  // namespace pantry::uapi
