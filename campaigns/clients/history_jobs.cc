// SPDX-License-Identifier: MIT
//
// Steps of GROUP_SUBMIT.
#include "campaigns/clients/history.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "campaigns/clients/history_layout.h"
#include "igt_tests/lib/syncobj.h"

using namespace gpu;
using namespace history;

Assembler History::random_stream(Dice& dice) {
  const auto place = [&] {
    return kWindowVa + dice.roll(kWindowBytes / kPage) * kPage + 8 * dice.roll(kTouchedBytes / 8);
  };
  const auto value = static_cast<uint32_t>(dice.roll(1u << 30));
  Assembler stream;
  switch (dice.roll(7)) {
    case 0:
    case 1:
      for (auto more = 1 + dice.roll(3); more != 0; --more) stream.store_value(place(), value);
      break;
    case 2:
      stream.copy_word(place(), place());
      break;
    case 3:
      stream.move48(2, place()).move64(4, value).sync_add64(2, 4, SyncScope::kSystem);
      break;
    case 4: {  // counts down, storing
      stream.move32(2, 5);
      const auto again = stream.here();
      stream.store_register(kWindowVa + dice.roll(8) * kPage, 2)
          .add32(2, 2, -1)
          .branch_back(Condition::kGreater, 2, again);
      break;
    }
    case 5:
      stream.move48(2, place()).move48(4, 16).call(2, 4);
      break;
    default:
      stream.nop();
      if (dice.one_in(2)) stream.word(uint64_t{0xc3} << 56);  // no instruction
  }
  return stream.publish();
}

void History::submit_step(Dice& dice, uint32_t number) {
  std::vector<drm_panthor_queue_submit> jobs;
  std::vector<std::vector<drm_panthor_sync_op>> syncs(1 + dice.roll(2));
  std::vector<uint32_t> done;
  const uint32_t group = group_handle(dice);
  for (std::size_t i = 0; i < syncs.size(); ++i) {
    const Assembler stream = random_stream(dice);
    drm_panthor_queue_submit job{};
    job.queue_index = static_cast<uint32_t>(dice.one_in(15) ? dice.roll(33) : 0);
    job.stream_size = stream.size_bytes();
    job.stream_addr = kCodeVa + (number * 2 + i) * kStreamBytes % kCodeBytes;
    for (const Space& space : spaces_)
      if (space.code != nullptr)
        memcpy(space.code + (job.stream_addr - kCodeVa), stream.words().data(), job.stream_size);
    if (dice.one_in(15))
      job.stream_size = job.stream_size == 0 ? 4 : dice.pick({0u, 4u, job.stream_size + 8});
    if (dice.one_in(25))
      job.stream_addr = dice.pick({uint64_t{0}, kCodeVa + 4, kWindowVa, uint64_t{1} << 48});
    if (dice.one_in(40)) job.pad = 1;
    syncs[i].push_back(signal_of_its_own());
    done.push_back(syncs[i].back().handle);
    // Two queues at once would write as they please.
    if (i != 0 && (job.queue_index != jobs[i - 1].queue_index || dice.one_in(2)))
      syncs[i].push_back({0, done[i - 1], 0});
    if (dice.one_in(3)) syncs[i].push_back(random_sync(dice, number));
    job.syncs = array_of(syncs[i]);
    jobs.push_back(job);
    tell("{queue=%u stream=%#llx+%u pad=%u", job.queue_index,
         static_cast<unsigned long long>(job.stream_addr), job.stream_size, job.pad);
    tell_syncs(syncs[i]);
    for (const uint64_t word : stream.words())
      tell("%016llx", static_cast<unsigned long long>(word));
    tell("}");
  }
  drm_panthor_group_submit request{group, dice.one_in(40) ? 1u : 0u, array_of(jobs)};
  tell("group=%u pad=%u", request.group_handle, request.pad);
  const bool is_in = call("GROUP_SUBMIT", DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &request) == 0;
  bool has_failed = false;
  for (const uint32_t syncobj : done) {
    if (is_in) {
      const int status = finish(syncobj);
      // A job behind one that failed was in the ring by then, and shares its error, or was not, and
      // is cancelled.
      if (has_failed && status < 0)
        tell("fence=failed");
      else
        tell("fence=%d", status);
      has_failed |= status < 0;
    }
    drmSyncobjDestroy(device_.fd(), syncobj);
  }
  if (has_failed) destroy_neighbours(group);
}

// A fault of a space is also that of the groups which sit on a slot just then, busy or not.
void History::destroy_neighbours(uint32_t faulty) {
  const auto one = std::find_if(groups_.begin(), groups_.end(),
                                [&](const Group& group) { return group.handle == faulty; });
  if (one == groups_.end()) return;
  for (Group& other : groups_) {
    if (other.handle == 0 || other.handle == faulty || other.space != one->space) continue;
    drm_panthor_group_destroy request{other.handle, 0};
    call("GROUP_DESTROY", DRM_IOCTL_PANTHOR_GROUP_DESTROY, &request);
    other = {};
  }
}
